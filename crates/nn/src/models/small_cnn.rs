//! The default: a small modern CNN for images of about 28 pixels that is cheap on a CPU.

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::init::{Fan, Init};
use crate::layers::{Activation, BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, Sequential};
use chiaro_graph::{Result, Var};

/// Three times convolution 3x3, batch norm, ReLU and 2x2 max pooling, then one linear layer.
#[derive(Clone, Debug)]
pub struct SmallCnn {
    /// Channels of the convolutions.
    pub channels: [usize; 3],
    /// Number of classes.
    pub classes: usize,
}

impl SmallCnn {
    /// 16, 32 and 64 channels: 4.1 MFLOP for a 28x28 grey image.
    pub fn new(classes: usize) -> SmallCnn {
        SmallCnn { channels: [16, 32, 64], classes }
    }

    fn layers(&self) -> Sequential {
        let mut layers = Sequential::new();
        for (i, channels) in (1..).zip(self.channels) {
            let conv = Conv2d::new(channels, 3)
                .padding(1)
                .without_bias()
                .weight_init(Init::KaimingNormal { gain: std::f64::consts::SQRT_2, fan: Fan::In });
            layers = layers.named(&format!("conv{i}"), conv).named(&format!("bn{i}"), BatchNorm2d::new());
            layers = layers.then(Activation::Relu).named(&format!("pool{i}"), MaxPool2d::new(2));
        }
        layers.named("flatten", Flatten).named("fc", Linear::new(self.classes))
    }
}

impl Module for SmallCnn {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.layers().declare(declare, x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        self.layers().forward(ctx, x)
    }

    fn kind(&self) -> &'static str {
        "SmallCnn"
    }
}
