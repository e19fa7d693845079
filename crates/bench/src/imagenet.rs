//! Residual networks as they are for images of 224x224: a 7x7 stem of stride 2 and a max pool in front of the stages.

use chiaro_graph::{PoolSpec, Result, Var};
use chiaro_nn::{
    Activation, BasicBlock, BatchNorm2d, Context, Conv2d, Declare, GlobalAvgPool, Linear, MaxPool2d, Module, Sequential,
};

/// ResNet-18, with this many classes.
pub(crate) struct ResNet18(pub usize);

/// ResNet-50, with this many classes.
pub(crate) struct ResNet50(pub usize);

impl ResNet18 {
    fn layers(&self) -> Sequential {
        staged([2; 4], self.0, |out_channels, stride| Box::new(BasicBlock { out_channels, stride }))
    }
}

impl Module for ResNet18 {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.layers().declare(declare, x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        self.layers().forward(ctx, x)
    }

    fn kind(&self) -> &'static str {
        "ResNet18"
    }
}

impl ResNet50 {
    fn layers(&self) -> Sequential {
        staged([3, 4, 6, 3], self.0, |width, stride| Box::new(Bottleneck { width, stride }))
    }
}

impl Module for ResNet50 {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.layers().declare(declare, x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        self.layers().forward(ctx, x)
    }

    fn kind(&self) -> &'static str {
        "ResNet50"
    }
}

/// Stem, four stages of `counts` blocks, each made of its width and stride, and the classifier.
fn staged(counts: [usize; 4], classes: usize, block: fn(usize, usize) -> Box<dyn Module>) -> Sequential {
    let stem = Conv2d::new(64, 7).stride(2).padding(3).without_bias().weight_init(BasicBlock::weight_init());
    let pool = PoolSpec { stride: [2; 2], padding: [1; 2], ..PoolSpec::square(3) };
    let layers = Sequential::new().named("conv1", stem).named("bn1", BatchNorm2d::new()).then(Activation::Relu);
    let mut layers = layers.named("maxpool", MaxPool2d(pool));
    for (stage, (width, count)) in [64, 128, 256, 512].into_iter().zip(counts).enumerate() {
        for index in 0..count {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            layers = layers.named(&format!("layer{}.{index}", stage + 1), block(width, stride));
        }
    }
    layers.named("avgpool", GlobalAvgPool).named("fc", Linear::new(classes))
}

/// The block of ResNet-50: 1x1 to `width` channels, 3x3 with the stride, 1x1 to four times the width (arXiv:1512.03385, the
/// stride where torchvision has it).
struct Bottleneck {
    width: usize,
    stride: usize,
}

impl Bottleneck {
    fn conv(channels: usize, kernel: usize, stride: usize) -> Conv2d {
        let conv = Conv2d::new(channels, kernel).stride(stride).padding(kernel / 2);
        conv.without_bias().weight_init(BasicBlock::weight_init())
    }

    fn residue(&self) -> Sequential {
        Sequential::new()
            .named("conv1", Self::conv(self.width, 1, 1))
            .named("bn1", BatchNorm2d::new())
            .then(Activation::Relu)
            .named("conv2", Self::conv(self.width, 3, self.stride))
            .named("bn2", BatchNorm2d::new())
            .then(Activation::Relu)
            .named("conv3", Self::conv(4 * self.width, 1, 1))
            .named("bn3", BatchNorm2d::new())
    }

    fn shortcut(&self, channels: Option<&usize>) -> Sequential {
        let out = 4 * self.width;
        if self.stride == 1 && channels == Some(&out) {
            return Sequential::new();
        }
        let projection = Self::conv(out, 1, self.stride);
        Sequential::new().named("downsample.0", projection).named("downsample.1", BatchNorm2d::new())
    }
}

impl Module for Bottleneck {
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
        "Bottleneck"
    }
}
