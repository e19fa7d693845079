//! ResNet-18 as it is for images of 224x224: a 7x7 stem of stride 2 and a max pool in front of the stages.

use chiaro_graph::{PoolSpec, Var};
use chiaro_nn::{BasicBlock, BatchNorm2d, Context, Conv2d, GlobalAvgPool, Linear, MaxPool2d, Module};

/// The network, with this many classes.
pub(crate) struct ResNet18(pub usize);

impl Module for ResNet18 {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> chiaro_graph::Result<Var> {
        let stem = Conv2d::new(64, 7).stride(2).padding(3).without_bias().weight_init(BasicBlock::weight_init());
        let x = ctx.call("conv1", &stem, x)?;
        let x = ctx.call("bn1", &BatchNorm2d::new(), x)?;
        let x = ctx.graph().relu(x)?;
        let pool = PoolSpec { stride: [2; 2], padding: [1; 2], ..PoolSpec::square(3) };
        let mut x = ctx.call("maxpool", &MaxPool2d(pool), x)?;
        for (stage, out_channels) in [64, 128, 256, 512].into_iter().enumerate() {
            for index in 0..2 {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                let block = BasicBlock { out_channels, stride };
                x = ctx.call(&format!("layer{}.{index}", stage + 1), &block, x)?;
            }
        }
        let x = ctx.call("avgpool", &GlobalAvgPool, x)?;
        ctx.call("fc", &Linear::new(self.0), x)
    }

    fn kind(&self) -> &'static str {
        "ResNet18"
    }
}
