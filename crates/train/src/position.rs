//! Where a run is: the part of its state that changes with every step.

use std::fmt;

use chiaro_nn::Metrics;
use serde::{Deserialize, Serialize};

use crate::evaluate::add;

/// The epoch whose weights are kept as the best.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Its accuracy on the images that it was evaluated on, in 0..=1.
    pub accuracy: f64,
}

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
    /// The best epoch so far.
    pub best: Option<Best>,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        write!(f, "{} epoch{}", self.epoch, plural(self.epoch))?;
        match self.step_in_epoch {
            0 => Ok(()),
            steps => write!(f, " and {steps} step{}", plural(steps)),
        }
    }
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

    /// Ends the present epoch. Whether it is the best so far; of equals the first is.
    pub(crate) fn end_epoch(&mut self, accuracy: f64) -> bool {
        let ended = Best { epoch: self.epoch + 1, accuracy };
        // An epoch that is done again, after a kill or a damaged checkpoint, may find its own weights there.
        let better = self.best.is_none_or(|best| accuracy > best.accuracy || ended == best);
        if better {
            self.best = Some(ended);
        }
        *self = Position {
            epoch: self.epoch + 1,
            step_in_epoch: 0,
            sums: [0.0; 3],
            timed_steps: 0,
            timed_seconds: 0.0,
            ..self.clone()
        };
        better
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_epoch_is_the_first_of_the_highest_accuracy() {
        let mut at = Position::default();
        let better: Vec<bool> = [0.5, 0.7, 0.6, 0.7, 0.8, 0.8].into_iter().map(|a| at.end_epoch(a)).collect();
        assert_eq!(better, [true, true, false, false, true, false]);
        assert_eq!(at.best, Some(Best { epoch: 5, accuracy: 0.8 }));
        // Epochs 5 and 6 once more, from a checkpoint of epoch 4 beside the best weights of epoch 5.
        at.epoch = 4;
        assert!(at.end_epoch(0.8) && !at.end_epoch(0.8));
        assert_eq!(at.best, Some(Best { epoch: 5, accuracy: 0.8 }));
    }
}
