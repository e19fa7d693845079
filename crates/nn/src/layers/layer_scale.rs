//! A learnt factor for each channel.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::init::Init;
use chiaro_graph::{Result, Var};

/// x times a parameter for each channel (arXiv:2103.17239), which starts small so that a residual block starts near the identity.
/// Parameter: `layer_scale` `[C,1,1]`, as torchvision has it.
#[derive(Clone, Copy, Debug)]
pub struct LayerScale {
    /// Where all factors start.
    pub initial: f64,
}

const NAME: &str = "layer_scale";

impl Module for LayerScale {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let Some(&c) = x.last() else {
            return Err(declare.error(NAME, &[x], "takes x [..., C]".into()));
        };
        declare.parameter(NAME, &[c, 1, 1], Init::Constant(self.initial))?;
        Ok(x.to_vec())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let c = ctx.shape(x).last().copied().unwrap_or(1);
        let factor = ctx.parameter(NAME)?;
        let graph = ctx.graph();
        let factor = graph.reshape(factor, &[c])?;
        let (stored, wide) = (graph.dtype(x), graph.cast(x, graph.dtype(factor))?);
        let y = graph.mul(wide, factor)?;
        graph.cast(y, stored)
    }

    fn kind(&self) -> &'static str {
        "LayerScale"
    }
}
