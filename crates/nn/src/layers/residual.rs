//! A residual connection around any layers.

use crate::context::{Context, Module};
use crate::declare::Declare;
use chiaro_graph::{Result, Var};

/// x + inner(x).
pub struct Residual<M>(pub M);

impl<M: Module> Module for Residual<M> {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let y = self.0.declare(declare, x)?;
        if y == x {
            return Ok(y);
        }
        Err(declare.error("residual", &[x, &y], "the inner layers must keep the shape".into()))
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let y = self.0.forward(ctx, x)?;
        ctx.sum(y, x)
    }

    fn kind(&self) -> &'static str {
        "Residual"
    }
}
