//! DenseNet (arXiv:1608.06993, as torchvision has it).

use super::blocks::{conv, is_small, small_stem};
use crate::init::{Fan, Init};
use crate::layers::{Activation, AvgPool2d, BatchNorm2d, Concat, Conv2d, GlobalAvgPool, Linear, MaxPool2d, Sequential};
use chiaro_graph::PoolSpec;

/// Channels that each layer adds.
const GROWTH: usize = 32;

/// 121 layers: 7,978,856 parameters for 1000 classes. Parameters are named as in torchvision.
pub fn densenet121(classes: usize, image: [usize; 3]) -> Sequential {
    let small = is_small(image);
    let stem = if small { start(64, 3) } else { start(64, 7).stride(2) };
    let mut features = Sequential::new().named("conv0", stem).named("norm0", BatchNorm2d::new()).then(Activation::Relu);
    if !small {
        features =
            features.named("pool0", MaxPool2d(PoolSpec { stride: [2; 2], padding: [1; 2], ..PoolSpec::square(3) }));
    }
    let mut channels = 64;
    for (i, layers) in (1..).zip([6, 12, 24, 16]) {
        let block = (1..=layers).fold(Sequential::new(), |block, j| {
            let grown = Concat(vec![Sequential::new(), Sequential::new().named(&format!("denselayer{j}"), layer())]);
            block.then(grown)
        });
        features = features.named(&format!("denseblock{i}"), block);
        channels += layers * GROWTH;
        if i < 4 {
            channels /= 2;
            features = features.named(&format!("transition{i}"), transition(channels));
        }
    }
    let features = features.named("norm5", BatchNorm2d::new()).then(Activation::Relu);
    let head = Linear { bias_init: Some(Init::ZEROS), ..Linear::new(classes) };
    let layers =
        Sequential::new().named("features", features).named("avgpool", GlobalAvgPool).named("classifier", head);
    if small { layers.remarking(small_stem("the stem is 3x3 with stride 1 and without pooling")) } else { layers }
}

fn start(out: usize, kernel: usize) -> Conv2d {
    conv(out, kernel).weight_init(Init::KaimingNormal { gain: std::f64::consts::SQRT_2, fan: Fan::In })
}

/// Norm, ReLU and convolution twice: 1x1 to four times the growth, then 3x3.
fn layer() -> Sequential {
    let first = Sequential::new().named("norm1", BatchNorm2d::new()).then(Activation::Relu);
    let first = first.named("conv1", start(4 * GROWTH, 1));
    first.named("norm2", BatchNorm2d::new()).then(Activation::Relu).named("conv2", start(GROWTH, 3))
}

/// Half the channels and half the extents.
fn transition(out: usize) -> Sequential {
    let layers = Sequential::new().named("norm", BatchNorm2d::new()).then(Activation::Relu);
    layers.named("conv", start(out, 1)).named("pool", AvgPool2d::new(2))
}
