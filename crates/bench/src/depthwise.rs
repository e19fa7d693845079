//! A network of depthwise convolutions, as MobileNet's (Howard et al. 2017), for images of 32x32.

use chiaro_graph::Var;
use chiaro_nn::{BasicBlock, BatchNorm2d, Context, Conv2d, GlobalAvgPool, Linear, Module};

/// The network, with this many classes.
pub(crate) struct Depthwise(pub usize);

/// Channels and stride of each block: 3x3 on every channel by itself, then 1x1 over all of them.
const BLOCKS: [(usize, usize); 6] = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)];

impl Module for Depthwise {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> chiaro_graph::Result<Var> {
        let mut channels = 32;
        let mut x = normalised(ctx, "stem", Conv2d::new(channels, 3).padding(1), x)?;
        for (index, (out_channels, stride)) in BLOCKS.into_iter().enumerate() {
            let depthwise = Conv2d::new(channels, 3).stride(stride).padding(1).groups(channels);
            x = normalised(ctx, &format!("block{index}.depthwise"), depthwise, x)?;
            x = normalised(ctx, &format!("block{index}.pointwise"), Conv2d::new(out_channels, 1), x)?;
            channels = out_channels;
        }
        let x = ctx.call("avgpool", &GlobalAvgPool, x)?;
        ctx.call("fc", &Linear::new(self.0), x)
    }

    fn kind(&self) -> &'static str {
        "Depthwise"
    }
}

fn normalised(ctx: &mut Context<'_>, name: &str, conv: Conv2d, x: Var) -> chiaro_graph::Result<Var> {
    let conv = conv.without_bias().weight_init(BasicBlock::weight_init());
    let x = ctx.call(&format!("{name}.conv"), &conv, x)?;
    let x = ctx.call(&format!("{name}.norm"), &BatchNorm2d::new(), x)?;
    ctx.graph().relu(x)
}
