//! Optimizers by name, with the settings that a run starts from: this project's, and those that a program adds.

use super::{OWN, Optimizer};
use crate::error::Result;
use crate::registry::{Named, Registry};
use std::sync::{Arc, RwLock};

/// The settings that a run gives any optimizer; each takes what it has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OptimizerSettings {
    /// Share of the last direction that is kept.
    pub momentum: f64,
    /// Decay of weights.
    pub weight_decay: f64,
}

/// An optimizer that settings can name.
#[derive(Clone, Copy, Debug)]
pub struct NamedOptimizer {
    /// The name, in lower case.
    pub name: &'static str,
    /// The learning rate to start from with batch normalisation and batches of about 128.
    pub usual_lr: f64,
    /// The weight decay to start from; the same number means much less where it is added to Adam's gradient.
    pub usual_weight_decay: f64,
    /// Whether [`OptimizerSettings::momentum`] means something.
    pub has_momentum: bool,
    /// The optimizer with these settings.
    pub make: fn(OptimizerSettings) -> Arc<dyn Optimizer>,
}

impl NamedOptimizer {
    pub(super) const fn new(
        name: &'static str,
        usual_lr: f64,
        usual_weight_decay: f64,
        has_momentum: bool,
        make: fn(OptimizerSettings) -> Arc<dyn Optimizer>,
    ) -> NamedOptimizer {
        NamedOptimizer { name, usual_lr, usual_weight_decay, has_momentum, make }
    }
}

impl Named for NamedOptimizer {
    const KIND: &'static str = "optimizer";

    fn name(&self) -> &str {
        self.name
    }
}

static OPTIMIZERS: Registry<NamedOptimizer> = Registry::new(|| RwLock::new(OWN.to_vec()));

/// The names that [`named_optimizer`] knows.
pub fn optimizer_names() -> Vec<&'static str> {
    OPTIMIZERS.all().iter().map(|optimizer| optimizer.name).collect()
}

/// The optimizer of this name.
///
/// # Errors
/// If there is none; the error lists those that exist.
pub fn named_optimizer(name: &str) -> Result<NamedOptimizer> {
    OPTIMIZERS.find(name)
}

/// Adds an optimizer of one's own, so that settings can name it, for as long as the process runs.
///
/// # Errors
/// If the name is taken.
pub fn register_optimizer(optimizer: NamedOptimizer) -> Result<()> {
    OPTIMIZERS.add(optimizer)
}
