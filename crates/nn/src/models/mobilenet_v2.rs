//! MobileNetV2 (arXiv:1801.04381, as torchvision has it).

use super::blocks::{conv, conv_norm, dense, is_small, small_stem};
use super::inverted::{Inverted, Names};
use crate::layers::{Activation, BatchNorm2d, DropPath, Dropout, GlobalAvgPool, Sequential};

/// Widening, channels, blocks and first stride of each stage.
const STAGES: [[usize; 4]; 7] =
    [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]];

/// 3,504,872 parameters for 1000 classes, named as in torchvision.
pub fn mobilenet_v2(classes: usize, image: [usize; 3]) -> Sequential {
    let (activation, norm) = (Activation::Relu6, BatchNorm2d::new());
    let stride = if is_small(image) { 1 } else { 2 };
    let stem = conv_norm(conv(32, 3).stride(stride), norm.clone(), Some(activation));
    let (mut features, mut channels, mut index) = (Sequential::new().push(stem), 32, 0);
    for [widen, out, blocks, first_stride] in STAGES {
        for block in 0..blocks {
            features = features.push(Inverted {
                wide: widen * channels,
                out,
                kernel: 3,
                stride: if block == 0 { first_stride } else { 1 },
                excite: None,
                activation,
                norm: norm.clone(),
                drop: DropPath::of(index, 17, 0.0),
                names: Names::Flat,
            });
            (channels, index) = (out, index + 1);
        }
    }
    let features = features.push(conv_norm(conv(1280, 1), norm, Some(activation)));
    let classifier = Sequential::new().push(Dropout { p: 0.2 }).push(dense(classes, 0.01));
    let layers =
        Sequential::new().named("features", features).named("avgpool", GlobalAvgPool).named("classifier", classifier);
    if is_small(image) { layers.remarking(small_stem("the first convolution has stride 1")) } else { layers }
}
