//! LeNet-5, the classic, with ReLU and max pooling.

use crate::context::{Context, Module};
use crate::layers::{Conv2d, Flatten, Linear, MaxPool2d};
use chiaro_graph::{Result, Var};

/// conv-relu-maxpool twice, then linear layers (LeCun et al., 1998, with today's activation and pooling). Parameters are named
/// `conv1`, `conv2`, `fc1`, `fc2`, ...
#[derive(Clone, Debug)]
pub struct LeNet {
    /// Channels of the two convolutions.
    pub channels: [usize; 2],
    /// Extent of their kernels.
    pub kernel: usize,
    /// Zeros around their inputs.
    pub padding: [usize; 2],
    /// Features of the linear layers before the last.
    pub hidden: Vec<usize>,
    /// Number of classes.
    pub classes: usize,
}

impl LeNet {
    /// LeNet-5. Images of 32 pixels and more go in as they are; smaller ones, such as MNIST's 28, are padded by 2.
    pub fn for_image(classes: usize, image: [usize; 3]) -> LeNet {
        let first = if image[0].min(image[1]) < 32 { 2 } else { 0 };
        LeNet { channels: [6, 16], kernel: 5, padding: [first, 0], hidden: vec![120, 84], classes }
    }
}

impl Module for LeNet {
    fn forward(&self, ctx: &mut Context<'_>, mut x: Var) -> Result<Var> {
        for i in 0..2 {
            let conv = Conv2d::new(self.channels[i], self.kernel).padding(self.padding[i]);
            x = ctx.call(&format!("conv{}", i + 1), &conv, x)?;
            x = ctx.graph().relu(x)?;
            x = ctx.call(&format!("pool{}", i + 1), &MaxPool2d::new(2), x)?;
        }
        x = ctx.call("flatten", &Flatten, x)?;
        for (i, &features) in self.hidden.iter().enumerate() {
            x = ctx.call(&format!("fc{}", i + 1), &Linear::new(features), x)?;
            x = ctx.graph().relu(x)?;
        }
        ctx.call(&format!("fc{}", self.hidden.len() + 1), &Linear::new(self.classes), x)
    }

    fn kind(&self) -> &'static str {
        "LeNet"
    }
}
