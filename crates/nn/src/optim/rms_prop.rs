//! RMSprop (Hinton, 2012).

use super::{Optimizer, Slot, Update};
use crate::error::Result;
use chiaro_graph::{Elementwise, Var};

const SQUARE: &str = "square_avg";
const MEAN: &str = "grad_avg";
const MOMENTUM: &str = "momentum_buffer";

/// p -= lr g / (√v + eps), v the running average of g², g with L2 decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    /// Share of the old average.
    pub alpha: f64,
    /// Added to the root.
    pub eps: f64,
    /// L2 decay.
    pub weight_decay: f64,
    /// Share of the last direction that is kept; 0 keeps no slot.
    pub momentum: f64,
    /// Subtract the squared average gradient from v (arXiv:1308.0850).
    pub centered: bool,
}

impl Default for RmsProp {
    fn default() -> Self {
        RmsProp { alpha: 0.99, eps: 1e-8, weight_decay: 0.0, momentum: 0.0, centered: false }
    }
}

impl Optimizer for RmsProp {
    fn slots(&self) -> Vec<Slot> {
        let mut slots = vec![Slot::zeros(SQUARE)];
        slots.extend(self.centered.then_some(Slot::zeros(MEAN)));
        slots.extend((self.momentum != 0.0).then_some(Slot::zeros(MOMENTUM)));
        slots
    }

    fn update(&self, update: &mut Update<'_>) -> Result<Var> {
        let gradient = update.decayed_gradient(self.weight_decay)?;
        let square = update.slot(SQUARE)?;
        let squared = update.graph().mul(gradient, gradient)?;
        let square = update.blended(square, squared, self.alpha)?;
        update.store(SQUARE, square)?;
        let mut spread = square;
        if self.centered {
            let mean = update.slot(MEAN)?;
            let mean = update.blended(mean, gradient, self.alpha)?;
            update.store(MEAN, mean)?;
            let of_mean = update.graph().mul(mean, mean)?;
            let difference = update.graph().sub(square, of_mean)?;
            // Rounding can make the difference of nearly equal numbers negative.
            spread = update.graph().map_scalars(Elementwise::Maximum, difference, &[0.0])?;
        }
        let divisor = update.root_plus(spread, self.eps)?;
        let mut direction = update.graph().div(gradient, divisor)?;
        if self.momentum != 0.0 {
            let old = update.slot(MOMENTUM)?;
            let kept = update.scaled(old, self.momentum)?;
            direction = update.graph().add(kept, direction)?;
            update.store(MOMENTUM, direction)?;
        }
        update.step(direction)
    }
}
