//! Wide residual networks (arXiv:1605.07146).

use super::blocks::conv;
use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::layers::{Activation, BatchNorm2d, DropPath, Dropout, GlobalAvgPool, Linear, Sequential, Sum};
use chiaro_graph::{Result, Var};

/// 28 layers, ten times as wide as a residual network for small images: 36,479,194 parameters for 10 classes. Parameters are named
/// as in the implementation most used with PyTorch: `conv1`, `block1.layer.0.conv1`, `block2.layer.0.convShortcut`, `bn1`, `fc`.
pub fn wide_resnet28_10(classes: usize) -> Sequential {
    wide_resnet(4, 10, classes)
}

/// Three stages of `blocks` blocks of 16, 32 and 64 channels times `widen`.
pub fn wide_resnet(blocks: usize, widen: usize, classes: usize) -> Sequential {
    let mut layers = Sequential::new().named("conv1", conv(16, 3));
    for (stage, width) in [16, 32, 64].into_iter().enumerate() {
        for index in 0..blocks {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            let drop = DropPath::of(stage * blocks + index, 3 * blocks, 0.0);
            let block = WideBlock { out: width * widen, stride, drop };
            layers = layers.named(&format!("block{}.layer.{index}", stage + 1), block);
        }
    }
    let layers = layers.named("bn1", BatchNorm2d::new()).then(Activation::Relu).named("avgpool", GlobalAvgPool);
    layers.named("fc", Linear::new(classes))
}

/// Norm and ReLU before each of two 3x3 convolutions; where the width changes, the shortcut is a 1x1 convolution of what the first
/// norm and ReLU give.
struct WideBlock {
    out: usize,
    stride: usize,
    drop: DropPath,
}

impl WideBlock {
    fn layers(&self, channels: Option<&usize>) -> Sequential {
        let start = || Sequential::new().named("bn1", BatchNorm2d::new()).then(Activation::Relu);
        let residue = |first: Sequential| {
            first
                .named("conv1", conv(self.out, 3).stride(self.stride))
                .named("bn2", BatchNorm2d::new())
                .then(Activation::Relu)
                .then(Dropout { p: 0.0 })
                .named("conv2", conv(self.out, 3))
                .then(self.drop)
        };
        if channels == Some(&self.out) {
            return Sequential::new().then(Sum(vec![residue(start()), Sequential::new()]));
        }
        let shortcut = conv(self.out, 1).stride(self.stride);
        start().then(Sum(vec![residue(Sequential::new()), Sequential::new().named("convShortcut", shortcut)]))
    }
}

impl Module for WideBlock {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.layers(x.last()).declare(declare, x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        self.layers(ctx.shape(x).last()).forward(ctx, x)
    }

    fn kind(&self) -> &'static str {
        "WideBlock"
    }
}
