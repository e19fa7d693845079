//! A residual connection around any layers.

use crate::context::{Context, Module};
use chiaro_graph::{Result, Var};

/// x + inner(x).
pub struct Residual<M>(pub M);

impl<M: Module> Module for Residual<M> {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let y = self.0.forward(ctx, x)?;
        if ctx.shape(y) != ctx.shape(x) {
            let detail = "the inner layers must keep the shape".into();
            return Err(ctx.shape_error("residual", &[ctx.shape(x), ctx.shape(y)], detail));
        }
        ctx.sum(y, x)
    }

    fn kind(&self) -> &'static str {
        "Residual"
    }
}
