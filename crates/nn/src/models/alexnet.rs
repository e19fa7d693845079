//! AlexNet (arXiv:1404.5997, as torchvision has it).

use super::blocks::{is_small, small_stem};
use crate::layers::{Activation, AdaptiveAvgPool2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, Sequential};
use chiaro_graph::PoolSpec;

/// Five convolutions, means over 6x6 regions, and three dense layers: 61,100,840 parameters for 1000 classes. Parameters are named
/// as in torchvision.
pub fn alexnet(classes: usize, image: [usize; 3]) -> Sequential {
    alexnet_of(classes, image, 4096)
}

/// AlexNet with so many features in its dense layers.
pub fn alexnet_of(classes: usize, image: [usize; 3], hidden: usize) -> Sequential {
    let first = if is_small(image) { Conv2d::new(64, 5).padding(2) } else { Conv2d::new(64, 11).stride(4).padding(2) };
    let pool = || MaxPool2d(PoolSpec { stride: [2; 2], ..PoolSpec::square(3) });
    let mut features = Sequential::new().push(first).push(Activation::Relu).push(pool());
    features = features.push(Conv2d::new(192, 5).padding(2)).push(Activation::Relu).push(pool());
    for channels in [384, 256, 256] {
        features = features.push(Conv2d::new(channels, 3).padding(1)).push(Activation::Relu);
    }
    let drop = Dropout { p: 0.5 };
    let classifier = Sequential::new().push(drop).push(Linear::new(hidden)).push(Activation::Relu);
    let classifier = classifier.push(drop).push(Linear::new(hidden)).push(Activation::Relu);
    let layers = Sequential::new()
        .named("features", features.push(pool()))
        .named("avgpool", AdaptiveAvgPool2d([6, 6]))
        .named("flatten", Flatten)
        .named("classifier", classifier.push(Linear::new(classes)));
    if is_small(image) { layers.remarking(small_stem("the first convolution is 5x5 with stride 1")) } else { layers }
}
