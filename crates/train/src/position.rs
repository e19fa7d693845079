//! Where a run is: what a checkpoint keeps beside the arenas.

use chiaro_nn::Metrics;
use serde::{Deserialize, Serialize};

use crate::evaluate::add;

/// The place of a run between two steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// Epochs that have ended.
    pub epoch: usize,
    /// Steps done in the present epoch.
    pub step_in_epoch: usize,
    /// Steps since the start of the run.
    pub step: u64,
    /// Loss sum, correct and samples of the present epoch.
    pub sums: [f64; 3],
    /// Steps of the present epoch whose time counts: the first after a start compiles kernels and does not.
    pub timed_steps: usize,
    /// Seconds of those steps.
    pub timed_seconds: f64,
    /// Seconds since the start of the run.
    pub seconds: f64,
    /// The best test accuracy so far.
    pub best_accuracy: Option<f64>,
}

impl Position {
    pub(crate) fn metrics(&self) -> Metrics {
        let [loss_sum, correct, samples] = self.sums;
        Metrics { loss_sum, correct, samples, non_finite: 0.0 }
    }

    pub(crate) fn add(&mut self, more: Metrics) {
        let sum = add(self.metrics(), more);
        self.sums = [sum.loss_sum, sum.correct, sum.samples];
    }

    pub(crate) fn next_epoch(&mut self) {
        *self = Position {
            epoch: self.epoch + 1,
            step_in_epoch: 0,
            sums: [0.0; 3],
            timed_steps: 0,
            timed_seconds: 0.0,
            ..self.clone()
        };
    }
}
