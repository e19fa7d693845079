//! Ends of a run before its last epoch.

use crate::trainer::{Ending, Trainer};

const MINUTE: f64 = 60.0;

impl Trainer {
    /// Whether the settings end the run between two epochs.
    pub(crate) fn ends_early(&self) -> Option<Ending> {
        let (epochs, config) = (self.at.epoch, &self.config);
        if epochs == 0 || self.at.step_in_epoch > 0 {
            return None;
        }
        let better = self.at.best.map_or(0, |best| best.epoch);
        if config.patience.is_some_and(|patience| epochs >= better + patience) {
            return Some(Ending::NoBetter);
        }
        let another = self.at.seconds + self.at.seconds / epochs as f64;
        config.time_limit.is_some_and(|limit| another > limit * MINUTE).then_some(Ending::OutOfTime)
    }
}
