//! Squeeze-and-excitation (arXiv:1709.01507).

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::layers::{Activation, GlobalAvgPool, Linear, Sequential};
use chiaro_graph::{Result, Var};

/// Scales each channel of `[N,H,W,C]` by what the whole image says about it: x sigmoid(expand(relu(reduce(mean of x)))).
/// Parameters: those of the dense layers `reduce` and `expand`.
#[derive(Clone, Debug)]
pub struct SqueezeExcite {
    /// Features between the two dense layers, often a sixteenth of the channels.
    pub reduced: usize,
}

impl SqueezeExcite {
    fn gate(&self, channels: usize) -> Sequential {
        let squeeze = Sequential::new().named("pool", GlobalAvgPool).named("reduce", Linear::new(self.reduced));
        squeeze.then(Activation::Relu).named("expand", Linear::new(channels)).then(Activation::Sigmoid)
    }
}

impl Module for SqueezeExcite {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let &[_, _, _, channels] = x else {
            return Err(declare.error("squeeze_excite", &[x], "takes x [N,H,W,C]".into()));
        };
        self.gate(channels).declare(declare, x)?;
        Ok(x.to_vec())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let &[n, _, _, channels] = ctx.shape(x) else {
            return Err(ctx.shape_error("squeeze_excite", &[ctx.shape(x)], "takes x [N,H,W,C]".into()));
        };
        let gate = self.gate(channels).forward(ctx, x)?;
        let graph = ctx.graph();
        let gate = graph.reshape(gate, &[n, 1, 1, channels])?;
        let gate = graph.cast(gate, graph.dtype(x))?;
        graph.mul(x, gate)
    }

    fn kind(&self) -> &'static str {
        "SqueezeExcite"
    }
}
