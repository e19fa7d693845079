//! RegNetY-400MF (arXiv:2003.13678, as torchvision has it).

use super::blocks::{conv, conv_norm, dense, is_small, small_stem};
use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::layers::{Activation, BatchNorm2d, DropPath, GlobalAvgPool, Sequential, SqueezeExcite, Sum};
use chiaro_graph::{Result, Var};

/// Channels and blocks of each stage.
const STAGES: [(usize, usize); 4] = [(48, 1), (104, 3), (208, 6), (440, 6)];

/// Channels of a group.
const GROUP: usize = 8;

/// 4,344,144 parameters for 1000 classes, named as in torchvision.
pub fn regnet_y_400mf(classes: usize, image: [usize; 3]) -> Sequential {
    let stride = if is_small(image) { 1 } else { 2 };
    let stem = conv_norm(conv(32, 3).stride(stride), BatchNorm2d::new(), Some(Activation::Relu));
    let (mut trunk, mut channels, mut index) = (Sequential::new(), 32, 0);
    for (stage, (out, blocks)) in (1..).zip(STAGES) {
        let mut layers = Sequential::new();
        for block in 0..blocks {
            let stride = if block == 0 { 2 } else { 1 };
            let drop = DropPath::of(index, 16, 0.0);
            layers = layers.named(&format!("block{stage}-{block}"), RegNetBlock { channels, out, stride, drop });
            (channels, index) = (out, index + 1);
        }
        trunk = trunk.named(&format!("block{stage}"), layers);
    }
    let layers = Sequential::new().named("stem", stem).named("trunk_output", trunk).named("avgpool", GlobalAvgPool);
    let layers = layers.named("fc", dense(classes, 0.01));
    if is_small(image) { layers.remarking(small_stem("the first convolution has stride 1")) } else { layers }
}

/// 1x1, grouped 3x3 and 1x1 convolutions with squeeze-and-excitation, added to the input or its projection.
struct RegNetBlock {
    channels: usize,
    out: usize,
    stride: usize,
    drop: DropPath,
}

impl RegNetBlock {
    fn layers(&self) -> Sequential {
        let part = |conv, activation| conv_norm(conv, BatchNorm2d::new(), activation);
        let grouped = conv(self.out, 3).stride(self.stride).groups(self.out / GROUP);
        let residue = Sequential::new()
            .named("a", part(conv(self.out, 1), Some(Activation::Relu)))
            .named("b", part(grouped, Some(Activation::Relu)))
            .named("se", SqueezeExcite::new((self.channels + 2) / 4))
            .named("c", part(conv(self.out, 1), None));
        let residue = Sequential::new().named("f", residue).then(self.drop);
        let mut shortcut = Sequential::new();
        if self.stride != 1 || self.channels != self.out {
            shortcut = shortcut.named("proj", part(conv(self.out, 1).stride(self.stride), None));
        }
        Sequential::new().then(Sum(vec![residue, shortcut])).then(Activation::Relu)
    }
}

impl Module for RegNetBlock {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.layers().declare(declare, x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        self.layers().forward(ctx, x)
    }

    fn kind(&self) -> &'static str {
        "ResBottleneck"
    }
}
