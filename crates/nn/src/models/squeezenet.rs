//! SqueezeNet 1.1 (arXiv:1602.07360, as torchvision has it).

use super::blocks::{is_small, small_stem};
use crate::init::{Fan, Init};
use crate::layers::{Activation, Concat, Conv2d, Dropout, GlobalAvgPool, MaxPool2d, Sequential};
use chiaro_graph::PoolSpec;

/// 1,235,496 parameters for 1000 classes, named as in torchvision.
pub fn squeezenet(classes: usize, image: [usize; 3]) -> Sequential {
    let small = is_small(image);
    let stem = start(64, 3).stride(if small { 1 } else { 2 });
    let pool = || MaxPool2d(PoolSpec { stride: [2; 2], ceil_mode: true, ..PoolSpec::square(3) });
    let features = Sequential::new().push(stem).push(Activation::Relu).push(pool());
    let features = features.push(fire(16, 64)).push(fire(16, 64)).push(pool());
    let features = features.push(fire(32, 128)).push(fire(32, 128)).push(pool());
    let features = features.push(fire(48, 192)).push(fire(48, 192)).push(fire(64, 256)).push(fire(64, 256));
    let head = start(classes, 1).weight_init(Init::Normal { std: 0.01 });
    let classifier = Sequential::new().push(Dropout { p: 0.5 }).push(head).push(Activation::Relu).push(GlobalAvgPool);
    let layers = Sequential::new().named("features", features).named("classifier", classifier);
    if small { layers.remarking(small_stem("the first convolution has stride 1")) } else { layers }
}

/// A convolution without padding, with a bias that starts at 0.
fn start(out: usize, kernel: usize) -> Conv2d {
    let init = Init::KaimingUniform { gain: std::f64::consts::SQRT_2, fan: Fan::In };
    Conv2d { bias_init: Some(Init::ZEROS), ..Conv2d::new(out, kernel) }.weight_init(init)
}

/// A 1x1 convolution to few channels, then 1x1 and 3x3 ones side by side.
fn fire(squeezed: usize, each: usize) -> Sequential {
    let expand = |name: &str, conv| Sequential::new().named(name, conv).then(Activation::Relu);
    let wide = expand("expand3x3", start(each, 3).padding(1));
    let squeeze = Sequential::new().named("squeeze", start(squeezed, 1)).then(Activation::Relu);
    squeeze.then(Concat(vec![expand("expand1x1", start(each, 1)), wide]))
}
