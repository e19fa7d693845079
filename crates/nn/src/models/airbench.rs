//! The network of "94% on CIFAR-10 in 3.29 seconds" (arXiv:2404.00498).

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::init::Init;
use crate::layers::{Activation, BatchNorm2d, Conv2d, GlobalMaxPool, Linear, MaxPool2d, Sequential};
use chiaro_graph::{ConvSpec, Elementwise, Result, Var};

/// A fixed 2x2 convolution that whitens, three groups of two convolutions, and the largest element of each channel: 1,972,792
/// numbers for 10 classes, of which 1,440 stay fixed (the whitening filters and, as 1, the scales of the norms). Made for 32x32.
pub fn airbench94(classes: usize) -> Sequential {
    let mut layers = Sequential::new().push(Whitening { kernel: 2 }).push(Activation::Gelu);
    for channels in [64, 256, 256] {
        layers = layers.push(group(channels));
    }
    let head = Linear { bias: false, ..Linear::new(classes) };
    // PyTorch's list has pooling, flattening and the dense layer at 5, 6 and 7.
    layers.push(GlobalMaxPool).named("7", head).then(Scaled(1.0 / 9.0))
}

/// Convolution, pooling, norm, activation; convolution, norm, activation.
fn group(channels: usize) -> Sequential {
    let conv = || Conv2d::new(channels, 3).padding(1).without_bias().weight_init(Init::Passing);
    let norm = || BatchNorm2d { eps: 1e-12, momentum: 0.4, scaled: false, ..BatchNorm2d::default() };
    let layers = Sequential::new().named("conv1", conv()).named("pool", MaxPool2d::new(2)).named("norm1", norm());
    let layers = layers.then(Activation::Gelu).named("conv2", conv()).named("norm2", norm());
    layers.then(Activation::Gelu)
}

/// A convolution to twice as many channels as its kernel has inputs, whose filters are not trained: made of the training images,
/// they whiten their patches. Statistic: `weight`; parameter: `bias`.
struct Whitening {
    kernel: usize,
}

impl Module for Whitening {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        let Some(&channels) = x.last() else {
            return Err(declare.error("whitening", &[x], "takes x [N,H,W,C]".into()));
        };
        let inputs = channels.saturating_mul(self.kernel * self.kernel);
        let weight = [inputs.saturating_mul(2), self.kernel, self.kernel, channels];
        let spec = ConvSpec::default();
        let geometry = spec.geometry(x, &weight).map_err(|detail| declare.error("whitening", &[x, &weight], detail))?;
        declare.statistic("weight", &weight, Init::Whitening)?;
        declare.parameter("bias", &weight[..1], Init::torch_bias(inputs))?;
        declare.product(geometry.forward_product());
        Ok(geometry.y.to_vec())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let (state, bias) = (ctx.statistic("weight")?, ctx.parameter("bias")?);
        let weight = ctx.graph().state_value(state)?;
        let (x, weight) = (ctx.operand(x)?, ctx.operand(weight)?);
        let y = ctx.graph().conv2d(x, weight, &ConvSpec::default())?;
        ctx.add_bias(y, bias)
    }

    fn kind(&self) -> &'static str {
        "Whitening"
    }
}

/// x times a fixed number.
struct Scaled(f64);

impl Module for Scaled {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        ctx.graph().map_scalars(Elementwise::Mul, x, &[self.0])
    }

    fn kind(&self) -> &'static str {
        "Scaled"
    }
}
