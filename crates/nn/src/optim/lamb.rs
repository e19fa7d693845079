//! LAMB (arXiv:1904.00962).

use super::{Decay, Optimizer, Slot, Update};
use crate::error::Result;
use chiaro_graph::{Elementwise, Graph, Var};

const MEAN: &str = "exp_avg";
const SQUARE: &str = "exp_avg_sq";

/// Adam's direction u = m̂ / (√v̂ + eps) + weight_decay p, and p -= lr |p| / |u| u for each weight by itself; where either norm is 0,
/// and of biases and norms, p -= lr u. Batches of thousands keep the rates of small ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lamb {
    /// Shares of the old averages of the gradient and its square.
    pub betas: [f64; 2],
    /// Added to the root.
    pub eps: f64,
    /// Decay, a part of the direction.
    pub weight_decay: f64,
}

impl Default for Lamb {
    fn default() -> Self {
        Lamb { betas: [0.9, 0.999], eps: 1e-6, weight_decay: 0.01 }
    }
}

impl Optimizer for Lamb {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros(MEAN), Slot::zeros(SQUARE)]
    }

    /// The rate, and what corrects the two averages for their start from 0.
    fn hyper(&self, lr: f64, step: u64) -> Vec<f64> {
        let t = step as f64 + 1.0;
        let [mean, square] = self.betas.map(|beta| 1.0 - beta.powf(t));
        vec![lr, 1.0 / mean, 1.0 / square.sqrt()]
    }

    fn update(&self, update: &mut Update<'_>) -> Result<Var> {
        let (mean, square, gradient) = (update.slot(MEAN)?, update.slot(SQUARE)?, update.gradient());
        let mean = update.blended(mean, gradient, self.betas[0])?;
        let squared = update.graph().mul(gradient, gradient)?;
        let square = update.blended(square, squared, self.betas[1])?;
        update.store(MEAN, mean)?;
        update.store(SQUARE, square)?;
        let (of_mean, of_root) = (update.hyper(1)?, update.hyper(2)?);
        let mean = update.graph().mul(mean, of_mean)?;
        let root = update.graph().unary(Elementwise::Sqrt, square)?;
        let root = update.graph().mul(root, of_root)?;
        let divisor = update.graph().map_scalars(Elementwise::Add, root, &[self.eps])?;
        let direction = update.graph().div(mean, divisor)?;
        let direction = update.with_decay(direction, self.weight_decay)?;
        let values = update.values();
        let trusted =
            update.each(&[values, direction], |graph, state, parts| match Decay::is_weight(&state.shape) {
                true => Ok(trust(graph, parts[0], parts[1])?),
                false => Ok(parts[1]),
            })?;
        update.step(trusted)
    }
}

/// u times |p| / |u|, or u where either is 0.
fn trust(graph: &mut Graph, p: Var, u: Var) -> chiaro_graph::Result<Var> {
    let [of_p, of_u] = [p, u].map(|v| norm(graph, v));
    let (of_p, of_u) = (of_p?, of_u?);
    let product = graph.mul(of_p, of_u)?;
    let some = graph.map_scalars(Elementwise::Greater, product, &[0.0])?;
    let ratio = graph.div(of_p, of_u)?;
    let one = graph.map_scalars(Elementwise::Mul, of_p, &[0.0])?;
    let one = graph.map_scalars(Elementwise::Add, one, &[1.0])?;
    let factor = graph.where_(some, ratio, one)?;
    graph.mul(u, factor)
}

/// The root of the sum of all squares, a single number.
pub(super) fn norm(graph: &mut Graph, v: Var) -> chiaro_graph::Result<Var> {
    let squares = graph.unary(Elementwise::Square, v)?;
    let sum = graph.sum_all(squares)?;
    graph.unary(Elementwise::Sqrt, sum)
}
