//! Residual networks (arXiv:1512.03385).

use super::blocks::{conv, is_small, small_stem};
use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::layers::{
    Activation, BasicBlock, BatchNorm2d, Bottleneck, DropPath, GlobalAvgPool, Linear, MaxPool2d, Sequential,
};
use chiaro_graph::{PoolSpec, Result, Var};

/// A stem, stages of blocks of which all but the first halve the image, global average pooling and a linear layer. Where a stage
/// changes the shape, the shortcut is a 1x1 convolution with batch norm ("option B" of the paper).
/// Parameters are named as in torchvision: `conv1`, `bn1`, `layer1.0.conv1`, `layer2.0.downsample.0`, `fc`.
#[derive(Clone, Debug)]
pub struct ResNet {
    /// Channels of each stage; the stem has those of the first.
    pub widths: Vec<usize>,
    /// Blocks of each stage.
    pub blocks: Vec<usize>,
    /// Blocks of three convolutions, whose result has four times the channels.
    pub bottlenecks: bool,
    /// Begin with a 7x7 convolution and pooling, each of which halves the image; else with a 3x3 one.
    pub wide_stem: bool,
    /// Number of classes.
    pub classes: usize,
}

impl ResNet {
    /// `6 n + 2` layers of 16, 32 and 64 channels, made for 32x32. With n = 3, 272,474 parameters for 10 classes.
    pub fn cifar(n: usize, classes: usize) -> ResNet {
        ResNet::small(&[16, 32, 64], n, classes)
    }

    /// Stages of these widths and so many blocks each, behind a stem for small images.
    pub fn small(widths: &[usize], blocks: usize, classes: usize) -> ResNet {
        let (widths, blocks) = (widths.to_vec(), vec![blocks; widths.len()]);
        ResNet { widths, blocks, bottlenecks: false, wide_stem: false, classes }
    }

    /// 18 layers of 64 to 512 channels: 11,689,512 parameters for 1000 classes; 11,173,962 for 10 and small images.
    pub fn resnet18(classes: usize, image: [usize; 3]) -> ResNet {
        ResNet::of([2, 2, 2, 2], false, classes, image)
    }

    /// 34 layers: 21,797,672 parameters for 1000 classes.
    pub fn resnet34(classes: usize, image: [usize; 3]) -> ResNet {
        ResNet::of([3, 4, 6, 3], false, classes, image)
    }

    /// 50 layers in bottlenecks: 25,557,032 parameters for 1000 classes.
    pub fn resnet50(classes: usize, image: [usize; 3]) -> ResNet {
        ResNet::of([3, 4, 6, 3], true, classes, image)
    }

    fn of(blocks: [usize; 4], bottlenecks: bool, classes: usize, image: [usize; 3]) -> ResNet {
        let widths = vec![64, 128, 256, 512];
        ResNet { widths, blocks: blocks.to_vec(), bottlenecks, wide_stem: !is_small(image), classes }
    }

    fn stem(&self) -> Sequential {
        let width = self.widths.first().copied().unwrap_or(0);
        let first = if self.wide_stem { conv(width, 7).stride(2) } else { conv(width, 3) };
        let layers = Sequential::new().named("conv1", first).named("bn1", BatchNorm2d::new()).then(Activation::Relu);
        if !self.wide_stem {
            return layers;
        }
        layers.named("maxpool", MaxPool2d(PoolSpec { stride: [2; 2], padding: [1; 2], ..PoolSpec::square(3) }))
    }

    fn layers(&self) -> Sequential {
        let (mut layers, mut before, count) = (self.stem(), 0, self.blocks.iter().sum());
        for (stage, (&width, &blocks)) in self.widths.iter().zip(&self.blocks).enumerate() {
            for index in 0..blocks {
                let drop = DropPath::of(before, count, 0.0);
                let (name, stride) =
                    (format!("layer{}.{index}", stage + 1), if stage > 0 && index == 0 { 2 } else { 1 });
                layers = match self.bottlenecks {
                    true => layers.named(&name, Bottleneck { width, stride, drop }),
                    false => layers.named(&name, BasicBlock { out_channels: width, stride, drop }),
                };
                before += 1;
            }
        }
        layers.named("avgpool", GlobalAvgPool).named("fc", Linear::new(self.classes))
    }
}

impl Module for ResNet {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.layers().declare(declare, x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        self.layers().forward(ctx, x)
    }

    fn kind(&self) -> &'static str {
        "ResNet"
    }

    fn remark(&self) -> Option<String> {
        // The networks of three stages have no other stem.
        (!self.wide_stem && self.widths.len() > 3)
            .then(|| small_stem("the stem is 3x3 with stride 1 and without pooling"))
    }
}
