//! The block of mobile networks: widen, filter each channel by itself, narrow.

use super::blocks::{conv, conv_norm};
use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::layers::{Activation, BatchNorm2d, DropPath, Sequential, SqueezeExcite, Sum};
use chiaro_graph::{Result, Var};

/// A 1x1 convolution to more channels, a depthwise one, perhaps squeeze-and-excitation, and a 1x1 one to fewer, each with norm; the
/// last without activation. The input is added where it has the result's shape (arXiv:1801.04381).
#[derive(Clone)]
pub(super) struct Inverted {
    /// Channels inside; no widening where these are the input's.
    pub wide: usize,
    /// Channels of the result.
    pub out: usize,
    /// Extent of the depthwise kernel.
    pub kernel: usize,
    /// Its stride.
    pub stride: usize,
    /// Behind it.
    pub excite: Option<SqueezeExcite>,
    /// Behind all norms but the last.
    pub activation: Activation,
    /// All norms.
    pub norm: BatchNorm2d,
    /// How the residual branch is dropped in training.
    pub drop: DropPath,
    /// How the layers are named.
    pub names: Names,
}

/// How the layers of a block are named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// torchvision's MobileNetV2: `conv.0.0`, the last convolution and norm without a level of their own.
    Flat,
    /// torchvision's MobileNetV3 and EfficientNet: `block.0.0`.
    Nested,
    /// timm's EfficientNets: `conv_pw`, `bn1`, `conv_dw`, `bn2`, `conv_pwl`, `bn3`.
    Timm,
}

impl Inverted {
    fn layers(&self, channels: Option<&usize>) -> Sequential {
        let widens = channels != Some(&self.wide);
        let residue = match self.names {
            Names::Flat => Sequential::new().named("conv", self.numbered(widens)),
            Names::Nested => Sequential::new().named("block", self.numbered(widens)),
            Names::Timm => self.named(widens),
        };
        if self.stride == 1 && channels == Some(&self.out) {
            return Sequential::new().then(Sum(vec![residue.then(self.drop), Sequential::new()]));
        }
        residue
    }

    fn depthwise(&self) -> crate::layers::Conv2d {
        conv(self.wide, self.kernel).stride(self.stride).groups(self.wide)
    }

    fn numbered(&self, widens: bool) -> Sequential {
        let mut layers = Sequential::new();
        let part = |conv, activation| conv_norm(conv, self.norm.clone(), activation);
        if widens {
            layers = layers.push(part(conv(self.wide, 1), Some(self.activation)));
        }
        layers = layers.push(part(self.depthwise(), Some(self.activation)));
        if let Some(excite) = &self.excite {
            layers = layers.push(excite.clone());
        }
        let last = conv(self.out, 1);
        match self.names {
            Names::Flat => layers.push(last).push(self.norm.clone()),
            Names::Nested | Names::Timm => layers.push(part(last, None)),
        }
    }

    fn named(&self, widens: bool) -> Sequential {
        let convolutions = if widens {
            vec![("conv_pw", conv(self.wide, 1)), ("conv_dw", self.depthwise()), ("conv_pwl", conv(self.out, 1))]
        } else {
            vec![("conv_dw", self.depthwise()), ("conv_pw", conv(self.out, 1))]
        };
        let last = convolutions.len();
        (1..).zip(convolutions).fold(Sequential::new(), |layers, (i, (name, conv))| {
            let layers = layers.named(name, conv).named(&format!("bn{i}"), self.norm.clone());
            if i < last { layers.then(self.activation) } else { layers }
        })
    }
}

impl Module for Inverted {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.layers(x.last()).declare(declare, x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        self.layers(ctx.shape(x).last()).forward(ctx, x)
    }

    fn kind(&self) -> &'static str {
        "InvertedResidual"
    }
}
