//! Residual networks as they are for images of 224x224: a 7x7 stem of stride 2 and a max pool in front of the stages.

use chiaro_graph::{PoolSpec, Var};
use chiaro_nn::{BasicBlock, BatchNorm2d, Context, Conv2d, GlobalAvgPool, Linear, MaxPool2d, Module};

/// ResNet-18, with this many classes.
pub(crate) struct ResNet18(pub usize);

/// ResNet-50, with this many classes.
pub(crate) struct ResNet50(pub usize);

impl Module for ResNet18 {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> chiaro_graph::Result<Var> {
        staged(ctx, x, [2; 4], self.0, |ctx, name, out_channels, stride, x| {
            ctx.call(name, &BasicBlock { out_channels, stride }, x)
        })
    }

    fn kind(&self) -> &'static str {
        "ResNet18"
    }
}

impl Module for ResNet50 {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> chiaro_graph::Result<Var> {
        staged(ctx, x, [3, 4, 6, 3], self.0, |ctx, name, width, stride, x| {
            ctx.call(name, &Bottleneck { width, stride }, x)
        })
    }

    fn kind(&self) -> &'static str {
        "ResNet50"
    }
}

type Block = fn(&mut Context<'_>, &str, usize, usize, Var) -> chiaro_graph::Result<Var>;

/// Stem, four stages of `counts` blocks, and the classifier.
fn staged(
    ctx: &mut Context<'_>,
    x: Var,
    counts: [usize; 4],
    classes: usize,
    block: Block,
) -> chiaro_graph::Result<Var> {
    let stem = Conv2d::new(64, 7).stride(2).padding(3).without_bias().weight_init(BasicBlock::weight_init());
    let x = ctx.call("conv1", &stem, x)?;
    let x = ctx.call("bn1", &BatchNorm2d::new(), x)?;
    let x = ctx.graph().relu(x)?;
    let pool = PoolSpec { stride: [2; 2], padding: [1; 2], ..PoolSpec::square(3) };
    let mut x = ctx.call("maxpool", &MaxPool2d(pool), x)?;
    for (stage, (width, count)) in [64, 128, 256, 512].into_iter().zip(counts).enumerate() {
        for index in 0..count {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            x = block(ctx, &format!("layer{}.{index}", stage + 1), width, stride, x)?;
        }
    }
    let x = ctx.call("avgpool", &GlobalAvgPool, x)?;
    ctx.call("fc", &Linear::new(classes), x)
}

/// The block of ResNet-50: 1x1 to `width` channels, 3x3 with the stride, 1x1 to four times the width (arXiv:1512.03385, the
/// stride where torchvision has it).
struct Bottleneck {
    width: usize,
    stride: usize,
}

impl Module for Bottleneck {
    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> chiaro_graph::Result<Var> {
        let conv = |channels: usize, kernel: usize, stride: usize| {
            let conv = Conv2d::new(channels, kernel).stride(stride).padding(kernel / 2);
            conv.without_bias().weight_init(BasicBlock::weight_init())
        };
        let (norm, out) = (BatchNorm2d::new(), 4 * self.width);
        let y = ctx.call("conv1", &conv(self.width, 1, 1), x)?;
        let y = ctx.call("bn1", &norm, y)?;
        let y = ctx.graph().relu(y)?;
        let y = ctx.call("conv2", &conv(self.width, 3, self.stride), y)?;
        let y = ctx.call("bn2", &norm, y)?;
        let y = ctx.graph().relu(y)?;
        let y = ctx.call("conv3", &conv(out, 1, 1), y)?;
        let y = ctx.call("bn3", &norm, y)?;
        let shortcut = if self.stride != 1 || ctx.shape(x).last() != Some(&out) {
            let p = ctx.call("downsample.0", &conv(out, 1, self.stride), x)?;
            ctx.call("downsample.1", &norm, p)?
        } else {
            x
        };
        let sum = ctx.sum(y, shortcut)?;
        ctx.graph().relu(sum)
    }

    fn kind(&self) -> &'static str {
        "Bottleneck"
    }
}
