//! ShuffleNetV2 (arXiv:1807.11164, as torchvision has it).

use super::blocks::{is_small, small_stem};
use crate::layers::{
    Activation, BatchNorm2d, ChannelPart, ChannelShuffle, Concat, Conv2d, GlobalAvgPool, Linear, MaxPool2d, Sequential,
};
use chiaro_graph::PoolSpec;

/// ShuffleNetV2 1.0x: 2,278,604 parameters for 1000 classes, named as in torchvision.
pub fn shufflenet_v2(classes: usize, image: [usize; 3]) -> Sequential {
    let small = is_small(image);
    let stem = unit(Sequential::new(), conv(24, 3).stride(if small { 1 } else { 2 }), true);
    let mut layers = Sequential::new().named("conv1", stem);
    if !small {
        layers =
            layers.named("maxpool", MaxPool2d(PoolSpec { stride: [2; 2], padding: [1; 2], ..PoolSpec::square(3) }));
    }
    let mut channels = 24;
    for (stage, (out, blocks)) in (2..).zip([(116, 4), (232, 8), (464, 4)]) {
        for index in 0..blocks {
            let block = if index == 0 { halving(channels, out / 2) } else { keeping(out / 2) };
            layers = layers.named(&format!("stage{stage}.{index}"), block);
        }
        channels = out;
    }
    let layers = layers.named("conv5", unit(Sequential::new(), conv(1024, 1), true)).named("avgpool", GlobalAvgPool);
    let layers = layers.named("fc", Linear::new(classes));
    if small { layers.remarking(small_stem("the stem has stride 1 and no pooling")) } else { layers }
}

/// A convolution with PyTorch's start.
fn conv(out: usize, kernel: usize) -> Conv2d {
    Conv2d::new(out, kernel).padding(kernel / 2).without_bias()
}

/// Appends a convolution with norm and perhaps ReLU.
fn unit(layers: Sequential, conv: Conv2d, relu: bool) -> Sequential {
    let layers = layers.push(conv).push(BatchNorm2d::new());
    if relu { layers.push(Activation::Relu) } else { layers }
}

/// 1x1, depthwise and 1x1 convolutions.
fn branch(out: usize, stride: usize) -> Sequential {
    let layers = unit(Sequential::new(), conv(out, 1), true);
    unit(unit(layers, conv(out, 3).stride(stride).groups(out), false), conv(out, 1), true)
}

/// Half the extents: two branches of all channels.
fn halving(channels: usize, each: usize) -> Sequential {
    let first = unit(Sequential::new(), conv(channels, 3).stride(2).groups(channels), false);
    let first = unit(first, conv(each, 1), true);
    let first = Sequential::new().named("branch1", first);
    let second = Sequential::new().named("branch2", branch(each, 2));
    Sequential::new().then(Concat(vec![first, second])).then(ChannelShuffle(2))
}

/// The same extents: half of the channels pass, the others go through a branch.
fn keeping(each: usize) -> Sequential {
    let half = |part| Sequential::new().then(ChannelPart { part, of: 2 });
    let second = half(1).named("branch2", branch(each, 1));
    Sequential::new().then(Concat(vec![half(0), second])).then(ChannelShuffle(2))
}
