//! Residual networks for small images (arXiv:1512.03385).

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::layers::{Activation, BasicBlock, BatchNorm2d, Conv2d, GlobalAvgPool, Linear, Sequential};
use chiaro_graph::{Result, Var};

/// A 3x3 stem without pooling, stages of basic blocks of which all but the first halve the image, global average pooling and a
/// linear layer. Where a stage changes the shape, the shortcut is a 1x1 convolution with batch norm ("option B" of the paper).
/// Parameters are named as in torchvision: `conv1`, `bn1`, `layer1.0.conv1`, `layer2.0.downsample.0`, `fc`.
#[derive(Clone, Debug)]
pub struct ResNet {
    /// Channels of each stage; the stem has those of the first.
    pub widths: Vec<usize>,
    /// Blocks of each stage.
    pub blocks: usize,
    /// Number of classes.
    pub classes: usize,
}

impl ResNet {
    /// 20 layers of 16, 32 and 64 channels: 272,474 parameters for 10 classes.
    pub fn resnet20(classes: usize) -> ResNet {
        ResNet { widths: vec![16, 32, 64], blocks: 3, classes }
    }

    /// 18 layers of 64 to 512 channels: 11,173,962 parameters for 10 classes.
    pub fn resnet18(classes: usize) -> ResNet {
        ResNet { widths: vec![64, 128, 256, 512], blocks: 2, classes }
    }

    fn layers(&self) -> Sequential {
        let stem = Conv2d::new(self.widths.first().copied().unwrap_or(0), 3)
            .padding(1)
            .without_bias()
            .weight_init(BasicBlock::weight_init());
        let mut layers = Sequential::new().named("conv1", stem).named("bn1", BatchNorm2d::new()).then(Activation::Relu);
        for (stage, &out_channels) in self.widths.iter().enumerate() {
            for index in 0..self.blocks {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                layers = layers.named(&format!("layer{}.{index}", stage + 1), BasicBlock { out_channels, stride });
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
}
