//! The CNNs of many tutorials: two convolutions without padding and two dense layers.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::layers::{Activation, Conv2d, Flatten, Linear, MaxPool2d, Sequential};
use chiaro_graph::{Result, Var};

/// Convolutions of 32 and 64 channels, 3x3 without padding, then 128 dense features. On 64x64 with a pool after each convolution
/// (`tutorial-cnn`) the flat size is 12,544; on 28x28 with one pool (`mnist-cnn`) it is 9,216.
#[derive(Clone, Debug)]
pub struct PlainCnn {
    /// Number of classes.
    pub classes: usize,
    /// Pool after the first convolution too.
    pub pool_after_first: bool,
}

impl PlainCnn {
    fn layers(&self) -> Sequential {
        let mut layers = Sequential::new().named("conv1", Conv2d::new(32, 3)).then(Activation::Relu);
        if self.pool_after_first {
            layers = layers.named("pool1", MaxPool2d::new(2));
        }
        layers
            .named("conv2", Conv2d::new(64, 3))
            .then(Activation::Relu)
            .named("pool2", MaxPool2d::new(2))
            .named("flatten", Flatten)
            .named("fc1", Linear::new(128))
            .then(Activation::Relu)
            .named("fc2", Linear::new(self.classes))
    }
}

impl Module for PlainCnn {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.layers().declare(declare, x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        self.layers().forward(ctx, x)
    }

    fn kind(&self) -> &'static str {
        "PlainCnn"
    }
}
