//! Muon (Jordan et al., 2024, as `torch.optim.Muon` with `adjust_lr_fn="match_rms_adamw"`).

use super::lamb::norm;
use super::{AdamW, Decay, Optimizer, Slot, Update};
use crate::error::Result;
use chiaro_graph::{Elementwise, Graph, Var};

const MOMENTUM: &str = "momentum_buffer";

/// Of a weight, taken as a matrix of a row for each output: momentum, made nearly orthogonal by five Newton-Schulz steps, times
/// 0.2 √(the larger extent), so that AdamW's rates and decay suit it. Biases, norms and tokens follow AdamW.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Muon {
    /// Share of the old direction that is kept.
    pub momentum: f64,
    /// Decoupled decay.
    pub weight_decay: f64,
    /// What updates the parameters that are no matrices; its decay is left out.
    pub others: AdamW,
}

impl Default for Muon {
    fn default() -> Self {
        Muon { momentum: 0.95, weight_decay: 0.1, others: AdamW::default() }
    }
}

/// Coefficients of the Newton-Schulz step x ↦ a x + (b x xᵀ + c (x xᵀ)²) x.
const STEP: [f64; 3] = [3.4445, -4.775, 2.0315];
const STEPS: usize = 5;
const EPS: f64 = 1e-7;

impl Optimizer for Muon {
    fn slots(&self) -> Vec<Slot> {
        [&[Slot::zeros(MOMENTUM)], &self.others.slots()[..]].concat()
    }

    /// The rate, what of the weights decays, and AdamW's rate over this one and its correction.
    fn hyper(&self, lr: f64, step: u64) -> Vec<f64> {
        let adam = self.others.hyper(1.0, step);
        vec![lr, adam[1], lr * self.weight_decay, adam[0]]
    }

    fn update(&self, update: &mut Update<'_>) -> Result<Var> {
        let (old, gradient) = (update.slot(MOMENTUM)?, update.gradient());
        let kept = update.blended(old, gradient, self.momentum)?;
        update.store(MOMENTUM, kept)?;
        let ahead = update.blended(kept, gradient, self.momentum)?;
        // Nesterov's: the share of the momentum that was just made, and of the gradient the rest.
        let share = update.hyper(2)?;
        update.shrink(share)?;
        let adam = super::adam::direction(update, gradient, self.others.betas, self.others.eps)?;
        let relative = update.hyper(3)?;
        let adam = update.graph().mul(adam, relative)?;
        let direction = update.each(&[ahead, adam], |graph, state, parts| match Decay::is_weight(&state.shape) {
            true => Ok(orthogonal(graph, parts[0])?),
            false => Ok(parts[1]),
        })?;
        update.step(direction)
    }
}

/// The nearly orthogonal matrix next to this one, in its shape, scaled.
fn orthogonal(graph: &mut Graph, weight: Var) -> chiaro_graph::Result<Var> {
    let shape = graph.shape(weight).to_vec();
    let rows = shape.first().copied().unwrap_or(1);
    let columns = shape.iter().skip(1).product::<usize>();
    let mut x = graph.reshape(weight, &[rows, columns])?;
    let tall = rows > columns;
    if tall {
        x = graph.transpose(x, &[1, 0])?;
    }
    let size = norm(graph, x)?;
    let size = graph.map_scalars(Elementwise::Maximum, size, &[EPS])?;
    x = graph.div(x, size)?;
    for _ in 0..STEPS {
        let square = graph.matmul(x, x, false, true)?;
        let fourth = graph.matmul(square, square, false, false)?;
        let square = graph.map_scalars(Elementwise::Mul, square, &[STEP[1]])?;
        let fourth = graph.map_scalars(Elementwise::Mul, fourth, &[STEP[2]])?;
        let both = graph.add(square, fourth)?;
        let turned = graph.matmul(both, x, false, false)?;
        let kept = graph.map_scalars(Elementwise::Mul, x, &[STEP[0]])?;
        x = graph.add(kept, turned)?;
    }
    if tall {
        x = graph.transpose(x, &[1, 0])?;
    }
    let scale = 0.2 * (rows.max(columns) as f64).sqrt();
    let x = graph.map_scalars(Elementwise::Mul, x, &[scale])?;
    graph.reshape(x, &shape)
}
