//! Adagrad (Duchi, Hazan and Singer, 2011).

use super::{Optimizer, Slot, Update};
use crate::error::Result;
use chiaro_graph::Var;

const SUM: &str = "sum";

/// p -= lr / (1 + t lr_decay) g / (√s + eps), s the sum of g² so far, g with L2 decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adagrad {
    /// How fast the rate falls with the step t, counted from 0.
    pub lr_decay: f64,
    /// Added to the root.
    pub eps: f64,
    /// L2 decay.
    pub weight_decay: f64,
    /// What s starts from.
    pub initial_accumulator: f64,
}

impl Default for Adagrad {
    fn default() -> Self {
        Adagrad { lr_decay: 0.0, eps: 1e-10, weight_decay: 0.0, initial_accumulator: 0.0 }
    }
}

impl Optimizer for Adagrad {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot { name: SUM, initial: self.initial_accumulator }]
    }

    fn hyper(&self, lr: f64, step: u64) -> Vec<f64> {
        vec![lr / (1.0 + step as f64 * self.lr_decay)]
    }

    fn update(&self, update: &mut Update<'_>) -> Result<Var> {
        let gradient = update.decayed_gradient(self.weight_decay)?;
        let old = update.slot(SUM)?;
        let squared = update.graph().mul(gradient, gradient)?;
        let sum = update.graph().add(old, squared)?;
        update.store(SUM, sum)?;
        let divisor = update.root_plus(sum, self.eps)?;
        let direction = update.graph().div(gradient, divisor)?;
        update.step(direction)
    }
}
