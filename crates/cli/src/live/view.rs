//! What the live view shows of a run, filled by its events.

use chiaro::train::{EpochRecord, Measure, Progress};

/// What a run is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    #[default]
    Preparing,
    Training,
    /// Batches done, and all of them.
    Evaluating(usize, usize),
}

/// Points of two curves, of training and of evaluation.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    pub name: String,
    pub train: Vec<(f64, f64)>,
    pub eval: Vec<(f64, f64)>,
}

/// The state of a run.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub device: String,
    pub phase: Phase,
    pub epoch: usize,
    pub epochs: usize,
    pub step: usize,
    pub steps: usize,
    pub seconds_left: Option<f64>,
    pub images_per_second: f64,
    /// Share of the last epoch's steps that waited for data.
    pub data_wait: Option<f64>,
    pub lr: Option<f64>,
    pub device_bytes: Option<u64>,
    pub host_bytes: Option<u64>,
    /// Loss and measures, shown.
    pub scores: String,
    /// The best epoch, shown.
    pub best: String,
    pub curves: Vec<Curves>,
    /// Whether the run was asked to stop.
    pub is_stopping: bool,
}

impl View {
    /// A step was done.
    pub fn step(&mut self, at: &Progress, measures: &[Measure]) {
        self.phase = Phase::Training;
        (self.epoch, self.epochs, self.step, self.steps) = (at.epoch, at.epochs, at.step, at.steps);
        self.seconds_left = at.seconds_left.or(self.seconds_left);
        self.lr = Some(at.lr);
        if at.images_per_second > 0.0 {
            self.images_per_second = at.images_per_second;
        }
        if at.scores.loss.is_finite() {
            self.scores = at.scores.shown(measures, "");
        }
    }

    /// An epoch has ended, or is read from a table.
    pub fn epoch(&mut self, record: &EpochRecord, measure: Measure) {
        if self.curves.is_empty() {
            self.curves = [Measure::LOSS, measure].map(|m| Curves { name: named(m), ..Curves::default() }).to_vec();
            // A task that measures nothing is judged by its loss.
            self.curves.truncate(if measure == Measure::LOSS { 1 } else { 2 });
        }
        let factor = if measure.percent { 100.0 } else { 1.0 };
        let values = [
            [record.train.loss, record.eval.loss],
            [record.train.get(measure.name) * factor, record.eval.get(measure.name) * factor],
        ];
        for (curves, [train, eval]) in self.curves.iter_mut().zip(values) {
            let at = record.epoch as f64;
            curves.train.extend(train.is_finite().then_some((at, train)));
            curves.eval.extend(eval.is_finite().then_some((at, eval)));
        }
        self.images_per_second = record.images_per_second;
        self.lr = Some(record.lr);
    }
}

fn named(measure: Measure) -> String {
    format!("{}{}", measure.name, if measure.percent { " %" } else { "" })
}

/// Bytes of memory that this process has, where the system tells.
pub fn host_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilo| kilo * 1024)
}
