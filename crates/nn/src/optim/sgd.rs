//! Stochastic gradient descent with momentum.

use super::{Optimizer, Slot, Update};
use crate::error::Result;
use chiaro_graph::Var;

const MOMENTUM: &str = "momentum_buffer";

/// buf = momentum buf + g, p -= lr buf (Nesterov: p -= lr (g + momentum buf)), g with L2 decay.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sgd {
    /// Share of the last direction that is kept; 0 keeps no slot.
    pub momentum: f64,
    /// Look ahead by one step of momentum (Sutskever et al., 2013).
    pub nesterov: bool,
    /// L2 decay.
    pub weight_decay: f64,
}

impl Optimizer for Sgd {
    fn slots(&self) -> Vec<Slot> {
        if self.momentum == 0.0 { vec![] } else { vec![Slot::zeros(MOMENTUM)] }
    }

    fn update(&self, update: &mut Update<'_>) -> Result<Var> {
        let gradient = update.decayed_gradient(self.weight_decay)?;
        if self.momentum == 0.0 {
            return update.step(gradient);
        }
        // The buffer starts as zeros, so the first step gives the gradient itself, as PyTorch's rule says.
        let old = update.slot(MOMENTUM)?;
        let kept = update.scaled(old, self.momentum)?;
        let new = update.graph().add(kept, gradient)?;
        update.store(MOMENTUM, new)?;
        if !self.nesterov {
            return update.step(new);
        }
        let ahead = update.scaled(new, self.momentum)?;
        let direction = update.graph().add(gradient, ahead)?;
        update.step(direction)
    }
}
