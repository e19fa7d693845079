//! MobileNetV3 (arXiv:1905.02244, as torchvision has it).

use super::blocks::{conv, conv_norm, dense, is_small, small_stem};
use super::inverted::{Inverted, Names};
use crate::layers::{Activation, BatchNorm2d, DropPath, Dropout, GlobalAvgPool, Sequential, SqueezeExcite};
use Activation::{Hardswish, Relu};

/// A block: kernel, channels inside, channels of the result, whether squeeze-and-excitation is in it, activation, stride.
type BlockRow = (usize, usize, usize, bool, Activation, usize);

const SMALL: [BlockRow; 11] = [
    (3, 16, 16, true, Relu, 2),
    (3, 72, 24, false, Relu, 2),
    (3, 88, 24, false, Relu, 1),
    (5, 96, 40, true, Hardswish, 2),
    (5, 240, 40, true, Hardswish, 1),
    (5, 240, 40, true, Hardswish, 1),
    (5, 120, 48, true, Hardswish, 1),
    (5, 144, 48, true, Hardswish, 1),
    (5, 288, 96, true, Hardswish, 2),
    (5, 576, 96, true, Hardswish, 1),
    (5, 576, 96, true, Hardswish, 1),
];

const LARGE: [BlockRow; 15] = [
    (3, 16, 16, false, Relu, 1),
    (3, 64, 24, false, Relu, 2),
    (3, 72, 24, false, Relu, 1),
    (5, 72, 40, true, Relu, 2),
    (5, 120, 40, true, Relu, 1),
    (5, 120, 40, true, Relu, 1),
    (3, 240, 80, false, Hardswish, 2),
    (3, 200, 80, false, Hardswish, 1),
    (3, 184, 80, false, Hardswish, 1),
    (3, 184, 80, false, Hardswish, 1),
    (3, 480, 112, true, Hardswish, 1),
    (3, 672, 112, true, Hardswish, 1),
    (5, 672, 160, true, Hardswish, 2),
    (5, 960, 160, true, Hardswish, 1),
    (5, 960, 160, true, Hardswish, 1),
];

/// 2,542,856 parameters for 1000 classes, named as in torchvision.
pub fn mobilenet_v3_small(classes: usize, image: [usize; 3]) -> Sequential {
    mobilenet_v3(&SMALL, 1024, classes, image)
}

/// 5,483,032 parameters for 1000 classes, named as in torchvision.
pub fn mobilenet_v3_large(classes: usize, image: [usize; 3]) -> Sequential {
    mobilenet_v3(&LARGE, 1280, classes, image)
}

fn mobilenet_v3(rows: &[BlockRow], hidden: usize, classes: usize, image: [usize; 3]) -> Sequential {
    let norm = BatchNorm2d { eps: 1e-3, momentum: 0.01, ..BatchNorm2d::default() };
    let stride = if is_small(image) { 1 } else { 2 };
    let stem = conv_norm(conv(16, 3).stride(stride), norm.clone(), Some(Hardswish));
    let mut features = Sequential::new().push(stem);
    for (index, &(kernel, wide, out, excite, activation, stride)) in rows.iter().enumerate() {
        let excite =
            excite.then(|| SqueezeExcite { gate: Activation::Hardsigmoid, ..SqueezeExcite::new(eighths(wide / 4)) });
        let (norm, drop) = (norm.clone(), DropPath::of(index, rows.len(), 0.0));
        features =
            features.push(Inverted { wide, out, kernel, stride, excite, activation, norm, drop, names: Names::Nested });
    }
    let last = rows.last().map_or(0, |row| row.2);
    let features = features.push(conv_norm(conv(6 * last, 1), norm, Some(Hardswish)));
    let classifier = Sequential::new().push(dense(hidden, 0.01)).push(Hardswish);
    let classifier = classifier.push(Dropout { p: 0.2 }).push(dense(classes, 0.01));
    let layers =
        Sequential::new().named("features", features).named("avgpool", GlobalAvgPool).named("classifier", classifier);
    if is_small(image) { layers.remarking(small_stem("the first convolution has stride 1")) } else { layers }
}

/// The multiple of 8 next to a number of channels, no less than nine tenths of it and no less than 8.
fn eighths(channels: usize) -> usize {
    let near = (channels + 4) / 8 * 8;
    let near = near.max(8);
    if near * 10 < channels * 9 { near + 8 } else { near }
}
