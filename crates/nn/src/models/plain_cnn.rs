//! The CNNs of many tutorials: two convolutions without padding and two dense layers.

use crate::context::{Context, Module};
use crate::layers::{Conv2d, Flatten, Linear, MaxPool2d};
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

impl Module for PlainCnn {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        let x = ctx.call("conv1", &Conv2d::new(32, 3), x)?;
        let mut x = ctx.graph().relu(x)?;
        if self.pool_after_first {
            x = ctx.call("pool1", &MaxPool2d::new(2), x)?;
        }
        let x = ctx.call("conv2", &Conv2d::new(64, 3), x)?;
        let x = ctx.graph().relu(x)?;
        let x = ctx.call("pool2", &MaxPool2d::new(2), x)?;
        let x = ctx.call("flatten", &Flatten, x)?;
        let x = ctx.call("fc1", &Linear::new(128), x)?;
        let x = ctx.graph().relu(x)?;
        ctx.call("fc2", &Linear::new(self.classes), x)
    }

    fn kind(&self) -> &'static str {
        "PlainCnn"
    }
}
