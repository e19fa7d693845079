//! The timing loop and the line of JSON, with the fields and rules that all peers share.

use anyhow::Result;
use serde::Serialize;
use std::time::Instant;

/// What every line starts with.
pub struct Report {
    /// The device's name as given.
    pub backend: String,
    /// The workload's name.
    pub workload: String,
    /// Seconds of measurement.
    pub budget: f64,
    /// Start of the program.
    pub start: Instant,
}

#[derive(Serialize)]
struct Line<'a, T> {
    peer: &'static str,
    version: &'static str,
    backend: &'a str,
    workload: &'a str,
    #[serde(flatten)]
    result: T,
    peak_rss_mb: f64,
}

#[derive(Serialize)]
struct Timed<T> {
    #[serde(flatten)]
    rate: T,
    step_ms_median: f64,
    step_ms_min: f64,
    cpu_ms_per_step: f64,
    steps: usize,
    init_s: f64,
    first_step_s: f64,
}

#[derive(Serialize)]
struct Training {
    images_per_s: f64,
    losses: [f64; 3],
    loss_last: f64,
}

#[derive(Serialize)]
struct Prediction {
    images_per_s: f64,
    logits: [f64; 3],
}

#[derive(Serialize)]
struct Rate {
    gflops: f64,
}

#[derive(Serialize)]
struct Accuracy {
    epochs: usize,
    test_accuracy: f64,
    train_s: f64,
}

impl Report {
    /// Times `step(i)`, a whole synchronised training step that gives its loss. `prepare` compiles; it counts as a part of the first
    /// step, of which there are three before the measurement.
    pub fn training<S>(
        &self,
        batch: usize,
        prepare: impl FnOnce() -> Result<S>,
        step: impl Fn(&mut S, usize) -> Result<f32>,
    ) -> Result<()> {
        let mut losses = vec![];
        let mut kept = |loss: f32| losses.push(round(loss.into(), 5));
        let timed = self.timed(3, 300, prepare, |state, i| step(state, i).map(&mut kept))?;
        let (images_per_s, loss_last) = (round(batch as f64 / timed.step_ms_median * 1e3, 2), losses[losses.len() - 1]);
        self.print(timed.rated(Training { images_per_s, losses: [losses[0], losses[1], losses[2]], loss_last }))
    }

    /// Times `call`, an operation of this many FLOP, after two calls.
    pub fn operator<S>(
        &self,
        flop: f64,
        prepare: impl FnOnce() -> Result<S>,
        call: impl Fn(&mut S) -> Result<()>,
    ) -> Result<()> {
        let timed = self.timed(2, 200, prepare, |state, _| call(state))?;
        let gflops = round(flop / timed.step_ms_median / 1e6, 2);
        self.print(timed.rated(Rate { gflops }))
    }

    /// Times `step`, which gives the logits of a batch, after three steps. Those of the first image are printed.
    pub fn prediction<S>(
        &self,
        batch: usize,
        prepare: impl FnOnce() -> Result<S>,
        step: impl Fn(&mut S) -> Result<Vec<f64>>,
    ) -> Result<()> {
        let mut last = vec![];
        let timed = self.timed(3, usize::MAX, prepare, |state, _| step(state).map(|logits| last = logits))?;
        let images_per_s = round(batch as f64 / timed.step_ms_min * 1e3, 2);
        let logits = [0, 1, 2].map(|i| round(last.get(i).copied().unwrap_or(f64::NAN), 4));
        self.print(timed.rated(Prediction { images_per_s, logits }))
    }

    /// Prints the accuracy of a training of some seconds.
    pub fn accuracy(&self, epochs: usize, accuracy: f64, seconds: f64) -> Result<()> {
        self.print(Accuracy { epochs, test_accuracy: round(accuracy, 4), train_s: round(seconds, 2) })
    }

    fn timed<S>(
        &self,
        warm_up: usize,
        most: usize,
        prepare: impl FnOnce() -> Result<S>,
        mut step: impl FnMut(&mut S, usize) -> Result<()>,
    ) -> Result<Timed<()>> {
        let init = self.start.elapsed().as_secs_f64();
        let start = Instant::now();
        let mut state = prepare()?;
        step(&mut state, 0)?;
        let first = start.elapsed().as_secs_f64();
        (1..warm_up).try_for_each(|i| step(&mut state, i))?;
        let (mut times, begin, cpu) = (vec![], Instant::now(), cpu_seconds());
        loop {
            let start = Instant::now();
            step(&mut state, warm_up + times.len())?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
            let elapsed = begin.elapsed().as_secs_f64();
            if (elapsed >= self.budget && times.len() >= 5) || elapsed >= 3.0 * self.budget || times.len() >= most {
                break;
            }
        }
        let cpu = (cpu_seconds() - cpu) * 1e3 / times.len() as f64;
        times.sort_by(f64::total_cmp);
        Ok(Timed {
            rate: (),
            step_ms_median: round(median(&times), 3),
            step_ms_min: round(times[0], 3),
            cpu_ms_per_step: round(cpu, 1),
            steps: times.len(),
            init_s: round(init, 3),
            first_step_s: round(first, 3),
        })
    }

    fn print(&self, result: impl Serialize) -> Result<()> {
        let line = Line {
            peer: "chiaro",
            version: env!("CARGO_PKG_VERSION"),
            backend: &self.backend,
            workload: &self.workload,
            result,
            peak_rss_mb: round(peak_resident_mb(), 1),
        };
        println!("{}", serde_json::to_string(&line)?);
        Ok(())
    }
}

impl Timed<()> {
    fn rated<T>(self, rate: T) -> Timed<T> {
        let Timed { rate: (), step_ms_median, step_ms_min, cpu_ms_per_step, steps, init_s, first_step_s } = self;
        Timed { rate, step_ms_median, step_ms_min, cpu_ms_per_step, steps, init_s, first_step_s }
    }
}

fn round(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

/// Of sorted values, at least one.
fn median(sorted: &[f64]) -> f64 {
    let n = sorted.len();
    (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0
}

/// User and system time of all threads, in steps of 10 ms; not a number where there is no /proc.
fn cpu_seconds() -> f64 {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return f64::NAN };
    // Behind the program's name, which may contain spaces, fields 12 and 13 are the two times in ticks of 1/100 s.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|f| f.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The most memory that was resident, in MiB; not a number where there is no /proc.
fn peak_resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |k| k / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
        assert_eq!(median(&[1.0, 2.0, 4.0]), 2.0);
    }

    #[test]
    fn a_training_line_has_the_fields_that_the_peers_have() {
        let timed = Timed {
            rate: Training { images_per_s: 1.0, losses: [1.0, 2.0, 3.0], loss_last: 4.0 },
            step_ms_median: 1.0,
            step_ms_min: 1.0,
            cpu_ms_per_step: 1.0,
            steps: 5,
            init_s: 0.1,
            first_step_s: 0.2,
        };
        let (backend, workload) = ("cpu", "w1");
        let line = Line { peer: "chiaro", version: "0", backend, workload, result: timed, peak_rss_mb: 1.0 };
        let text = serde_json::to_value(line).expect("plain fields");
        let mut fields: Vec<&String> = text.as_object().expect("an object").keys().collect();
        fields.sort();
        let wanted = "backend cpu_ms_per_step first_step_s images_per_s init_s loss_last losses peak_rss_mb peer step_ms_median \
                      step_ms_min steps version workload";
        assert_eq!(fields, wanted.split_whitespace().collect::<Vec<_>>());
    }
}
