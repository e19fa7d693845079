//! Lion (arXiv:2302.06675).

use super::{Optimizer, Slot, Update};
use crate::error::Result;
use chiaro_graph::{Elementwise, Var};

const MEAN: &str = "exp_avg";

/// p -= lr (sign(β1 m + (1 - β1) g) + weight_decay p), then m = β2 m + (1 - β2) g. Every parameter moves by the rate, so that it
/// wants a tenth of Adam's, and ten times its decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lion {
    /// Shares of the old average: in the direction of this step, and in the average that is kept.
    pub betas: [f64; 2],
    /// Decoupled decay.
    pub weight_decay: f64,
}

impl Default for Lion {
    fn default() -> Self {
        Lion { betas: [0.9, 0.99], weight_decay: 0.1 }
    }
}

impl Optimizer for Lion {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros(MEAN)]
    }

    fn hyper(&self, lr: f64, _: u64) -> Vec<f64> {
        vec![lr, lr * self.weight_decay]
    }

    fn update(&self, update: &mut Update<'_>) -> Result<Var> {
        let (mean, gradient) = (update.slot(MEAN)?, update.gradient());
        let ahead = update.blended(mean, gradient, self.betas[0])?;
        let kept = update.blended(mean, gradient, self.betas[1])?;
        update.store(MEAN, kept)?;
        let share = update.hyper(1)?;
        update.shrink(share)?;
        let direction = update.graph().unary(Elementwise::Sign, ahead)?;
        update.step(direction)
    }
}
