//! A network of depthwise convolutions, as MobileNet's (Howard et al. 2017), for images of 32x32.

use chiaro_graph::{Result, Var};
use chiaro_nn::{
    Activation, BasicBlock, BatchNorm2d, Context, Conv2d, Declare, GlobalAvgPool, Linear, Module, Sequential,
};

/// The network, with this many classes.
pub(crate) struct Depthwise(pub usize);

/// Channels and stride of each block: 3x3 on every channel by itself, then 1x1 over all of them.
const BLOCKS: [(usize, usize); 6] = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)];

impl Depthwise {
    fn layers(&self) -> Sequential {
        let mut channels = 32;
        let mut layers = normalised(Sequential::new(), "stem", Conv2d::new(channels, 3).padding(1));
        for (index, (out_channels, stride)) in BLOCKS.into_iter().enumerate() {
            let depthwise = Conv2d::new(channels, 3).stride(stride).padding(1).groups(channels);
            layers = normalised(layers, &format!("block{index}.depthwise"), depthwise);
            layers = normalised(layers, &format!("block{index}.pointwise"), Conv2d::new(out_channels, 1));
            channels = out_channels;
        }
        layers.named("avgpool", GlobalAvgPool).named("fc", Linear::new(self.0))
    }
}

impl Module for Depthwise {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.layers().declare(declare, x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        self.layers().forward(ctx, x)
    }

    fn kind(&self) -> &'static str {
        "Depthwise"
    }
}

fn normalised(layers: Sequential, name: &str, conv: Conv2d) -> Sequential {
    let conv = conv.without_bias().weight_init(BasicBlock::weight_init());
    let layers = layers.named(&format!("{name}.conv"), conv);
    layers.named(&format!("{name}.norm"), BatchNorm2d::new()).then(Activation::Relu)
}
