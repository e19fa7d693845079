//! LeNet-5, the classic, with ReLU and max pooling.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::layers::{Activation, Conv2d, Flatten, Linear, MaxPool2d, Sequential};
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

    fn layers(&self) -> Sequential {
        let mut layers = Sequential::new();
        for (i, padding) in (1..).zip(self.padding) {
            let conv = Conv2d::new(self.channels[i - 1], self.kernel).padding(padding);
            layers = layers.named(&format!("conv{i}"), conv).then(Activation::Relu);
            layers = layers.named(&format!("pool{i}"), MaxPool2d::new(2));
        }
        layers = layers.named("flatten", Flatten);
        for (i, &features) in (1..).zip(&self.hidden) {
            layers = layers.named(&format!("fc{i}"), Linear::new(features)).then(Activation::Relu);
        }
        layers.named(&format!("fc{}", self.hidden.len() + 1), Linear::new(self.classes))
    }
}

impl Module for LeNet {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.layers().declare(declare, x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        self.layers().forward(ctx, x)
    }

    fn kind(&self) -> &'static str {
        "LeNet"
    }
}
