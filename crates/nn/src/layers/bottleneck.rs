//! The block of deep residual networks.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::layers::{Activation, BasicBlock, BatchNorm2d, Conv2d, DropPath, Sequential, Sum};
use chiaro_graph::{Result, Var};

/// Convolutions 1x1, 3x3 with the stride, and 1x1 to four times the channels, each with batch norm; then the shortcut is added
/// and ReLU taken (arXiv:1512.03385, with the stride where torchvision has it). Where stride or width change, the shortcut is a
/// 1x1 convolution with batch norm.
#[derive(Clone, Debug)]
pub struct Bottleneck {
    /// Channels of the 3x3 convolution; the result has four times as many.
    pub width: usize,
    /// Stride of the 3x3 convolution and of the projection.
    pub stride: usize,
    /// Drops what is added, in training, where a step asks for it.
    pub drop: DropPath,
}

impl Bottleneck {
    /// Channels of the result over those inside.
    pub const EXPANSION: usize = 4;

    fn layers(&self, channels: Option<&usize>) -> Sequential {
        let out = self.width.saturating_mul(Bottleneck::EXPANSION);
        let conv = |out, kernel, stride| {
            let conv = Conv2d::new(out, kernel).stride(stride).padding(kernel / 2).without_bias();
            conv.weight_init(BasicBlock::weight_init())
        };
        let residue = Sequential::new()
            .named("conv1", conv(self.width, 1, 1))
            .named("bn1", BatchNorm2d::new())
            .then(Activation::Relu)
            .named("conv2", conv(self.width, 3, self.stride))
            .named("bn2", BatchNorm2d::new())
            .then(Activation::Relu)
            .named("conv3", conv(out, 1, 1))
            .named("bn3", BatchNorm2d::new())
            .then(self.drop);
        let mut shortcut = Sequential::new();
        if self.stride != 1 || channels != Some(&out) {
            shortcut = shortcut.named("downsample.0", conv(out, 1, self.stride));
            shortcut = shortcut.named("downsample.1", BatchNorm2d::new());
        }
        Sequential::new().then(Sum(vec![residue, shortcut])).then(Activation::Relu)
    }
}

impl Module for Bottleneck {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.layers(x.last()).declare(declare, x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        self.layers(ctx.shape(x).last()).forward(ctx, x)
    }

    fn kind(&self) -> &'static str {
        "Bottleneck"
    }
}
