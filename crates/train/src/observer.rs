//! What a run tells while it goes on: the command line draws bars from it, a library user may log it.

use chiaro_graph::Profile;

use crate::scores::Scores;

/// One finished epoch: a row of `results.csv`.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochRecord {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Steps since the start of the run.
    pub step: u64,
    /// Loss and measures of the training samples, as seen during the epoch.
    pub train: Scores,
    /// Loss and measures of the evaluated samples after the epoch.
    pub eval: Scores,
    /// Learning rate of the epoch's last step.
    pub lr: f64,
    /// Seconds since the start of the run, breaks between resumed parts left out.
    pub seconds: f64,
    /// Training images a second in this epoch, evaluation and the first step after a start left out.
    pub images_per_second: f64,
}

/// Where a run is within an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Epochs of the run.
    pub epochs: usize,
    /// Steps done in this epoch.
    pub step: usize,
    /// Steps of an epoch.
    pub steps: usize,
    /// Loss and measures of the epoch so far, as of the last reading; NaN before the first.
    pub scores: Scores,
    /// Learning rate of the step.
    pub lr: f64,
    /// Training images a second in this epoch, the first step after a start left out; 0 before the second.
    pub images_per_second: f64,
    /// Seconds to the end of the run, evaluations included; `None` before the second step after a start.
    pub seconds_left: Option<f64>,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The first step of the run has finished on the device.
    FirstStep,
    /// A step was handed to the device.
    Step(Progress),
    /// The step that [`Trainer::profile_step`](crate::Trainer::profile_step) asked for was run with its kernels timed.
    Profiled(&'a Profile),
    /// A batch of the evaluation after an epoch was handed to the device.
    Evaluating {
        /// Batches so far.
        batch: usize,
        /// Batches of the set.
        batches: usize,
        /// Seconds to the end of the run; `None` where no step was timed yet.
        seconds_left: Option<f64>,
    },
    /// Something to be told that the run goes on in spite of, such as a picture that cannot be written.
    Note(&'a str),
    /// An epoch has ended, was evaluated, and was saved where there is a run folder.
    Epoch {
        /// The epoch's numbers.
        record: &'a EpochRecord,
        /// Whether it is the best so far, by the task's first measure.
        best: bool,
        /// Share of the time of the epoch's steps in which they waited for data, since the run was started or resumed.
        data_wait: f64,
    },
}

/// Receives the events of a run, in order, on the thread that trains.
pub trait Observer {
    /// Called for every event; training waits for it.
    fn event(&mut self, event: &Event<'_>);
}

/// Hears nothing.
impl Observer for () {
    fn event(&mut self, _: &Event<'_>) {}
}

impl<F: FnMut(&Event<'_>)> Observer for F {
    fn event(&mut self, event: &Event<'_>) {
        self(event);
    }
}
