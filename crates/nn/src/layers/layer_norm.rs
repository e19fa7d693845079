//! Layer normalisation.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::init::Init;
use chiaro_graph::{Result, Var};

/// Layer norm (arXiv:1607.06450) over the last axis. Parameters: `weight`, `bias`, both `[C]`.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm {
    /// Added to the variance.
    pub eps: f64,
}

impl Module for LayerNorm {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let Some(&c) = x.last() else {
            return Err(declare.error("layer_norm", &[x], "takes x [..., C]".into()));
        };
        declare.parameter("weight", &[c], Init::ONES)?;
        declare.parameter("bias", &[c], Init::ZEROS)?;
        Ok(x.to_vec())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let (scale, shift) = (ctx.parameter("weight")?, ctx.parameter("bias")?);
        let graph = ctx.graph();
        let (stored, wide) = (graph.dtype(x), graph.cast(x, graph.dtype(scale))?);
        let y = graph.layer_norm(wide, 1, Some(scale), Some(shift), self.eps)?;
        graph.cast(y, stored)
    }

    fn kind(&self) -> &'static str {
        "LayerNorm"
    }
}
