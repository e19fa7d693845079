//! The block of residual networks.

use crate::context::{Context, Module};
use crate::init::{Fan, Init};
use crate::layers::{BatchNorm2d, Conv2d};
use chiaro_graph::{Result, Var};

/// relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)) with 3x3 convolutions (arXiv:1512.03385). Where stride or width change
/// the shortcut is a 1x1 convolution with the stride and a batch norm (`downsample.0`, `downsample.1`), else x.
#[derive(Clone, Debug)]
pub struct BasicBlock {
    /// Channels of the result.
    pub out_channels: usize,
    /// Stride of the first convolution and of the projection.
    pub stride: usize,
}

impl BasicBlock {
    /// How the weights of residual networks start: Kaiming normal over the fan out, gain √2.
    pub fn weight_init() -> Init {
        Init::KaimingNormal { gain: std::f64::consts::SQRT_2, fan: Fan::Out }
    }

    fn conv(&self, kernel: usize, stride: usize) -> Conv2d {
        Conv2d::new(self.out_channels, kernel)
            .stride(stride)
            .padding(kernel / 2)
            .without_bias()
            .weight_init(BasicBlock::weight_init())
    }
}

impl Module for BasicBlock {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let norm = BatchNorm2d::new();
        let y = ctx.call("conv1", &self.conv(3, self.stride), x)?;
        let y = ctx.call("bn1", &norm, y)?;
        let y = ctx.graph().relu(y)?;
        let y = ctx.call("conv2", &self.conv(3, 1), y)?;
        let y = ctx.call("bn2", &norm, y)?;
        let shortcut = if self.stride != 1 || ctx.shape(x).last() != Some(&self.out_channels) {
            let p = ctx.call("downsample.0", &self.conv(1, self.stride), x)?;
            ctx.call("downsample.1", &norm, p)?
        } else {
            x
        };
        let sum = ctx.sum(y, shortcut)?;
        ctx.graph().relu(sum)
    }

    fn kind(&self) -> &'static str {
        "BasicBlock"
    }
}
