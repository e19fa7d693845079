//! Stochastic depth.

use crate::context::{Context, Module};
use chiaro_graph::{Result, Var};

/// In training, drops what a residual branch gives with probability `p`, for each image by itself, and scales what stays by
/// 1/(1-p) (arXiv:1603.09382).
#[derive(Clone, Copy, Debug)]
pub struct DropPath {
    /// Probability in [0, 1).
    pub p: f64,
    /// How deep it stands in its model, from 0 to 1: where a step sets a rate of its own, this share of it is taken.
    pub depth: f64,
}

impl DropPath {
    /// The branch `index` of `count`, in a model whose last branch is dropped with probability `last` and whose first never is.
    pub fn of(index: usize, count: usize, last: f64) -> DropPath {
        let depth = index as f64 / count.saturating_sub(1).max(1) as f64;
        DropPath { p: last * depth, depth }
    }
}

impl Module for DropPath {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let p = ctx.drop_path().map_or(self.p, |last| last * self.depth);
        if !ctx.training() || p == 0.0 {
            return Ok(x);
        }
        let mut shape = ctx.shape(x).to_vec();
        shape.iter_mut().skip(1).for_each(|extent| *extent = 1);
        let key = ctx.key()?;
        let graph = ctx.graph();
        let ones = graph.full(&shape, 1.0, graph.dtype(x))?;
        let kept = graph.dropout(ones, p, key)?;
        graph.mul(x, kept)
    }

    fn kind(&self) -> &'static str {
        "DropPath"
    }
}
