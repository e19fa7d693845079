//! Adam (arXiv:1412.6980) and AdamW (arXiv:1711.05101).

use super::{Slot, Update};
use chiaro_graph::{Result, Var};

const MEAN: &str = "optimizer.exp_avg";
const SQUARE: &str = "optimizer.exp_avg_sq";

/// Adam; decay is added to the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Shares of the old averages of gradient and squared gradient.
    pub betas: [f64; 2],
    /// Added to the root of the average square.
    pub eps: f64,
    /// L2 decay.
    pub weight_decay: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0 }
    }
}

/// Adam with the decay taken off the parameters: p -= lr weight_decay p.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Shares of the old averages of gradient and squared gradient.
    pub betas: [f64; 2],
    /// Added to the root of the average square.
    pub eps: f64,
    /// Decoupled decay.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        AdamW { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01 }
    }
}

pub(super) fn slots() -> Vec<Slot> {
    vec![Slot::zeros(MEAN), Slot::zeros(SQUARE)]
}

/// lr / (1 - β1^t) and 1 / √(1 - β2^t), with t from 1.
pub(super) fn hyper(adam: &Adam, lr: f64, step: u64) -> Vec<f64> {
    let t = step as f64 + 1.0;
    let [mean, square] = adam.betas.map(|beta| 1.0 - beta.powf(t));
    vec![lr / mean, 1.0 / square.sqrt()]
}

/// The corrected direction m / (√v / √(1 - β2^t) + eps); its rate is hyper[0].
fn direction(update: &mut Update<'_>, gradient: Var, betas: [f64; 2], eps: f64) -> Result<Var> {
    let (mean_arena, mean) = update.slot(MEAN)?;
    let (square_arena, square) = update.slot(SQUARE)?;
    let mean = update.blended(mean, gradient, betas[0])?;
    let squared = update.graph.mul(gradient, gradient)?;
    let square = update.blended(square, squared, betas[1])?;
    update.store(mean_arena, mean)?;
    update.store(square_arena, square)?;
    let root = update.graph.unary(chiaro_graph::Elementwise::Sqrt, square)?;
    let correction = update.hyper(1)?;
    let root = update.graph.mul(root, correction)?;
    let divisor = update.graph.map_scalars(chiaro_graph::Elementwise::Add, root, &[eps])?;
    update.graph.div(mean, divisor)
}

impl Adam {
    pub(super) fn apply(&self, update: &mut Update<'_>) -> Result<Var> {
        let gradient = update.decayed_gradient(self.weight_decay)?;
        let direction = direction(update, gradient, self.betas, self.eps)?;
        update.step(direction)
    }
}

impl AdamW {
    pub(super) fn hyper(&self, lr: f64, step: u64) -> Vec<f64> {
        let mut numbers = hyper(&Adam { betas: self.betas, eps: self.eps, weight_decay: 0.0 }, lr, step);
        numbers.push(lr * self.weight_decay);
        numbers
    }

    pub(super) fn apply(&self, update: &mut Update<'_>) -> Result<Var> {
        let decay = update.hyper(2)?;
        let mut pull = update.graph.mul(update.values, decay)?;
        if let Some(mask) = update.mask {
            pull = update.graph.mul(pull, mask)?;
        }
        update.values = update.graph.sub(update.values, pull)?;
        let direction = direction(update, update.gradient, self.betas, self.eps)?;
        update.step(direction)
    }
}
