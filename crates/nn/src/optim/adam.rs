//! Adam (arXiv:1412.6980) and AdamW (arXiv:1711.05101).

use super::{Optimizer, Slot, Update};
use crate::error::Result;
use chiaro_graph::{Elementwise, Var};

const MEAN: &str = "exp_avg";
const SQUARE: &str = "exp_avg_sq";

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

fn slots() -> Vec<Slot> {
    vec![Slot::zeros(MEAN), Slot::zeros(SQUARE)]
}

/// lr / (1 - β1^t) and 1 / √(1 - β2^t), with t from 1.
fn corrections(betas: [f64; 2], lr: f64, step: u64) -> Vec<f64> {
    let t = step as f64 + 1.0;
    let [mean, square] = betas.map(|beta| 1.0 - beta.powf(t));
    vec![lr / mean, 1.0 / square.sqrt()]
}

/// The corrected direction m / (√v / √(1 - β2^t) + eps); its rate is hyper[0].
pub(super) fn direction(update: &mut Update<'_>, gradient: Var, betas: [f64; 2], eps: f64) -> Result<Var> {
    let (mean, square) = (update.slot(MEAN)?, update.slot(SQUARE)?);
    let mean = update.blended(mean, gradient, betas[0])?;
    let squared = update.graph().mul(gradient, gradient)?;
    let square = update.blended(square, squared, betas[1])?;
    update.store(MEAN, mean)?;
    update.store(SQUARE, square)?;
    let root = update.graph().unary(Elementwise::Sqrt, square)?;
    let correction = update.hyper(1)?;
    let root = update.graph().mul(root, correction)?;
    let divisor = update.graph().map_scalars(Elementwise::Add, root, &[eps])?;
    Ok(update.graph().div(mean, divisor)?)
}

impl Optimizer for Adam {
    fn slots(&self) -> Vec<Slot> {
        slots()
    }

    fn hyper(&self, lr: f64, step: u64) -> Vec<f64> {
        corrections(self.betas, lr, step)
    }

    fn update(&self, update: &mut Update<'_>) -> Result<Var> {
        let gradient = update.decayed_gradient(self.weight_decay)?;
        let direction = direction(update, gradient, self.betas, self.eps)?;
        update.step(direction)
    }
}

impl Optimizer for AdamW {
    fn slots(&self) -> Vec<Slot> {
        slots()
    }

    fn hyper(&self, lr: f64, step: u64) -> Vec<f64> {
        let mut numbers = corrections(self.betas, lr, step);
        numbers.push(lr * self.weight_decay);
        numbers
    }

    fn update(&self, update: &mut Update<'_>) -> Result<Var> {
        let share = update.hyper(2)?;
        update.shrink(share)?;
        let gradient = update.gradient();
        let direction = direction(update, gradient, self.betas, self.eps)?;
        update.step(direction)
    }
}
