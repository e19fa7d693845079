//! Optimizers by name, with the numbers to start from.

use super::{OPTIMIZERS, Optimizer};
use crate::error::{NnError, Result};

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
    pub make: fn(OptimizerSettings) -> Optimizer,
}

/// The names that [`named_optimizer`] knows.
pub fn optimizer_names() -> Vec<&'static str> {
    OPTIMIZERS.iter().map(|optimizer| optimizer.name).collect()
}

/// The optimizer of this name.
///
/// # Errors
/// If there is none; the error lists those that exist.
pub fn named_optimizer(name: &str) -> Result<NamedOptimizer> {
    let unknown = || format!("{name:?} is none of {}", optimizer_names().join(", "));
    OPTIMIZERS.iter().find(|known| known.name == name).copied().ok_or_else(|| NnError::Option(unknown()))
}
