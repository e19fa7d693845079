//! The block of residual networks.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::init::{Fan, Init};
use crate::layers::{Activation, BatchNorm2d, Conv2d, DropPath, Sequential};
use chiaro_graph::{Result, Var};

/// relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)) with 3x3 convolutions (arXiv:1512.03385). Where stride or width change
/// the shortcut is a 1x1 convolution with the stride and a batch norm (`downsample.0`, `downsample.1`), else x.
#[derive(Clone, Debug)]
pub struct BasicBlock {
    /// Channels of the result.
    pub out_channels: usize,
    /// Stride of the first convolution and of the projection.
    pub stride: usize,
    /// Drops what is added, in training, where a step asks for it.
    pub drop: DropPath,
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

    fn residue(&self) -> Sequential {
        Sequential::new()
            .named("conv1", self.conv(3, self.stride))
            .named("bn1", BatchNorm2d::new())
            .then(Activation::Relu)
            .named("conv2", self.conv(3, 1))
            .named("bn2", BatchNorm2d::new())
            .then(self.drop)
    }

    /// What is added, of an input of so many channels.
    fn shortcut(&self, channels: Option<&usize>) -> Sequential {
        if self.stride == 1 && channels == Some(&self.out_channels) {
            return Sequential::new();
        }
        let projection = self.conv(1, self.stride);
        Sequential::new().named("downsample.0", projection).named("downsample.1", BatchNorm2d::new())
    }
}

impl Module for BasicBlock {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.residue().declare(declare, x)?;
        self.shortcut(x.last()).declare(declare, x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let y = self.residue().forward(ctx, x)?;
        let shortcut = self.shortcut(ctx.shape(x).last()).forward(ctx, x)?;
        let sum = ctx.sum(y, shortcut)?;
        ctx.graph().relu(sum)
    }

    fn kind(&self) -> &'static str {
        "BasicBlock"
    }
}
