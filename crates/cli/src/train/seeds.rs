//! The same run by several seeds or with each fold held out, and what came of all of them. The same command again goes on with
//! those that are not done.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use chiaro::train::{Measure, Results, RunFolder, TrainConfig};

use super::words::shell;
use super::{Args, Ended, Place, one};
use crate::interrupt::Interrupt;
use crate::output::line;
use crate::overrides::Overrides;
use crate::usage::Usage;

/// Runs so many seeds one after the other, from the one that is given on.
pub fn run(args: &Args, given: &Overrides, count: u64, started: Instant) -> anyhow::Result<ExitCode> {
    let first: u64 = given.text("seed").map_or(Ok(TrainConfig::default().seed), str::parse)?;
    let last = first.checked_add(count - 1);
    let last = last.ok_or_else(|| Usage(format!("--seeds: there are no {count} seeds from {first} on")))?;
    each(args, given, "seed", first..=last, started)
}

/// Holds out each of so many folds in turn.
pub fn folds(args: &Args, given: &Overrides, count: u64, started: Instant) -> anyhow::Result<ExitCode> {
    each(args, given, "fold", 1..=count, started)
}

/// A run for each value of a setting.
fn each(
    args: &Args,
    given: &Overrides,
    setting: &str,
    values: RangeInclusive<u64>,
    started: Instant,
) -> anyhow::Result<ExitCode> {
    let all = args.out.clone().unwrap_or_else(|| unused(&format!("{setting}s")));
    let mut interrupt: Option<Interrupt> = None;
    let mut results: Vec<Results> = vec![];
    let mut task = None;
    for value in values {
        line(&format!("{setting} {value}"))?;
        let given = given.with(setting, Some(&value.to_string()));
        let out = all.join(format!("{setting}-{value}"));
        let Ended { results: found, measures, code } = match Known::of(&given, &out)? {
            Known::Nothing => one(args, &given, Place::New(Some(&out)), &mut interrupt, started)?,
            Known::Begun => one(args, &given.for_going_on(), Place::Begun(&out), &mut interrupt, started)?,
            Known::Done(ended) => {
                line(&format!("done before, in {}", out.display()))?;
                *ended
            }
        };
        if let Some(code) = code {
            // Where the terminal has gone there is nobody to tell it to.
            let _ = line(&format!("go on with all {setting}s by the same command with --out {}", shell(&all)));
            return Ok(code);
        }
        results.extend(found);
        task = Some(measures);
        line("")?;
    }
    line(&format!("{} {setting}s: {}", results.len(), summary(&results, &task.unwrap_or_default())))?;
    Ok(ExitCode::SUCCESS)
}

/// The first folder of this name in `runs`, with a number if need be, that is not there yet.
fn unused(name: &str) -> PathBuf {
    let numbered = |n: u64| Path::new("runs").join(if n == 1 { name.to_string() } else { format!("{name}{n}") });
    (1..).map(numbered).find(|path| !path.exists()).unwrap_or_else(|| numbered(1))
}

/// What an earlier call of the same command left of one of its runs.
enum Known {
    Nothing,
    Begun,
    Done(Box<Ended>),
}

impl Known {
    /// # Errors
    /// If the run in the folder was trained otherwise, or cannot be read.
    fn of(given: &Overrides, folder: &Path) -> anyhow::Result<Known> {
        let Ok(run) = RunFolder::open(folder) else { return Ok(Known::Nothing) };
        let settings = run.config()?.settings;
        if let Some((flag, value)) = given.differing(&settings)? {
            let trained = if value.is_empty() { format!("without --{flag}") } else { format!("with --{flag} {value}") };
            let folder = folder.display();
            let cause =
                format!("{folder} holds a run {trained}: give the same to go on with it, or another folder with --out");
            return Err(Usage(cause).into());
        }
        let done =
            |found| Ok(Ended { results: Some(found), measures: settings.named_task()?.eval_measures(), code: None });
        match run.results()? {
            None => Ok(Known::Begun),
            Some(found) => done(found).map(|ended| Known::Done(Box::new(ended))),
        }
    }
}

/// Mean and standard deviation of loss and measures, `accuracy 93.51 ± 0.12 %`.
fn summary(results: &[Results], measures: &[Measure]) -> String {
    let all = [&[Measure::LOSS], measures].concat();
    let shown = |measure: &Measure| {
        let of = |scores: &BTreeMap<String, f64>| scores.get(measure.name).copied();
        let values: Vec<f64> = results.iter().filter_map(|found| of(&found.scores)).collect();
        let (mean, off) = mean_and_deviation(&values);
        match measure.percent {
            true => format!("{} {:.2} ± {:.2} %", measure.name, mean * 100.0, off * 100.0),
            false => format!("{} {mean:.4} ± {off:.4}", measure.name),
        }
    };
    all.iter().filter(|measure| !measure.aside).map(shown).collect::<Vec<_>>().join(", ")
}

/// Of a sample: the deviation is by one less than their number, and 0 of one.
fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let (mean, off) = mean_and_deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert!((mean - 5.0).abs() < 1e-12 && (off - (32.0f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(mean_and_deviation(&[3.0]), (3.0, 0.0));
    }
}
