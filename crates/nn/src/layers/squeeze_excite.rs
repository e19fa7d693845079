//! Squeeze-and-excitation (arXiv:1709.01507).

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::layers::{Activation, Conv2d, GlobalAvgPool, Sequential};
use chiaro_graph::{Result, Var};

/// Scales each channel of `[N,H,W,C]` by what the whole image says about it: x gate(fc2(activation(fc1(mean of x)))).
/// Parameters as torchvision has them: those of the 1x1 convolutions `fc1` and `fc2`.
#[derive(Clone, Debug)]
pub struct SqueezeExcite {
    /// Channels between the two convolutions, often a sixteenth of the channels.
    pub reduced: usize,
    /// Taken between them.
    pub activation: Activation,
    /// Makes factors of what the second gives.
    pub gate: Activation,
}

impl SqueezeExcite {
    /// With ReLU and the sigmoid.
    pub fn new(reduced: usize) -> SqueezeExcite {
        SqueezeExcite { reduced, activation: Activation::Relu, gate: Activation::Sigmoid }
    }

    /// The factors, `[N,1,1,C]`.
    fn factors(&self, channels: usize) -> Sequential {
        let squeeze = Sequential::new().named("avgpool", GlobalAvgPool).then(OnePixel);
        let squeeze = squeeze.named("fc1", Conv2d::new(self.reduced, 1)).then(self.activation);
        squeeze.named("fc2", Conv2d::new(channels, 1)).then(self.gate)
    }
}

impl Module for SqueezeExcite {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let &[_, _, _, channels] = x else {
            return Err(declare.error("squeeze_excite", &[x], "takes x [N,H,W,C]".into()));
        };
        self.factors(channels).declare(declare, x)?;
        Ok(x.to_vec())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let &[_, _, _, channels] = ctx.shape(x) else {
            return Err(ctx.shape_error("squeeze_excite", &[ctx.shape(x)], "takes x [N,H,W,C]".into()));
        };
        let factors = self.factors(channels).forward(ctx, x)?;
        let graph = ctx.graph();
        let factors = graph.cast(factors, graph.dtype(x))?;
        graph.mul(x, factors)
    }

    fn kind(&self) -> &'static str {
        "SqueezeExcite"
    }
}

/// `[N,C]` as images of one pixel.
struct OnePixel;

impl Module for OnePixel {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        match *x {
            [n, channels] => Ok(vec![n, 1, 1, channels]),
            _ => Err(declare.error("one_pixel", &[x], "takes [N,C]".into())),
        }
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let shape = match *ctx.shape(x) {
            [n, channels] => [n, 1, 1, channels],
            _ => return Err(ctx.shape_error("one_pixel", &[ctx.shape(x)], "takes [N,C]".into())),
        };
        ctx.graph().reshape(x, &shape)
    }

    fn kind(&self) -> &'static str {
        "OnePixel"
    }
}
