//! EfficientNet-B0 (arXiv:1905.11946, as torchvision has it) and -Lite0 (as timm has it).

use super::blocks::{conv, conv_norm, is_small, small_stem};
use super::inverted::{Inverted, Names};
use crate::init::Init;
use crate::layers::{Activation, BatchNorm2d, DropPath, Dropout, GlobalAvgPool, Linear, Sequential, SqueezeExcite};

/// Widening, kernel, first stride, channels and blocks of each stage.
const STAGES: [[usize; 5]; 7] = [
    [1, 3, 1, 16, 1],
    [6, 3, 2, 24, 2],
    [6, 5, 2, 40, 2],
    [6, 3, 2, 80, 3],
    [6, 5, 1, 112, 3],
    [6, 5, 2, 192, 4],
    [6, 3, 1, 320, 1],
];

/// Blocks of all stages.
const BLOCKS: usize = 16;

/// 5,288,548 parameters for 1000 classes, named as in torchvision. Residual branches are dropped with probabilities up to 0.2.
pub fn efficientnet_b0(classes: usize, image: [usize; 3]) -> Sequential {
    let silu = Activation::Silu;
    let stem = conv_norm(conv(32, 3).stride(stem_stride(image)), BatchNorm2d::new(), Some(silu));
    let mut features = Sequential::new().push(stem);
    for stage in stages(silu, Names::Nested) {
        features = features.push(stage);
    }
    let features = features.push(conv_norm(conv(1280, 1), BatchNorm2d::new(), Some(silu)));
    let classifier = Sequential::new().push(Dropout { p: 0.2 }).push(head(classes));
    let layers = Sequential::new().named("features", features).named("avgpool", GlobalAvgPool);
    told(layers.named("classifier", classifier), image)
}

/// Without squeeze-and-excitation and with ReLU6, for devices that want whole numbers: 4,652,008 parameters for 1000 classes, named
/// as in timm.
pub fn efficientnet_lite0(classes: usize, image: [usize; 3]) -> Sequential {
    let relu = Activation::Relu6;
    let mut blocks = Sequential::new();
    for stage in stages(relu, Names::Timm) {
        blocks = blocks.push(stage);
    }
    let layers = Sequential::new()
        .named("conv_stem", conv(32, 3).stride(stem_stride(image)))
        .named("bn1", BatchNorm2d::new())
        .then(relu)
        .named("blocks", blocks)
        .named("conv_head", conv(1280, 1))
        .named("bn2", BatchNorm2d::new())
        .then(relu)
        .named("global_pool", GlobalAvgPool)
        .then(Dropout { p: 0.0 });
    told(layers.named("classifier", head(classes)), image)
}

fn stem_stride(image: [usize; 3]) -> usize {
    if is_small(image) { 1 } else { 2 }
}

fn told(layers: Sequential, image: [usize; 3]) -> Sequential {
    if is_small(image) { layers.remarking(small_stem("the first convolution has stride 1")) } else { layers }
}

/// The dense layer of the classes, uniform over the fan out.
fn head(classes: usize) -> Linear {
    let bound = 1.0 / (classes.max(1) as f64).sqrt();
    Linear { weight_init: Init::Uniform { bound }, bias_init: Some(Init::ZEROS), ..Linear::new(classes) }
}

fn stages(activation: Activation, names: Names) -> Vec<Sequential> {
    let (mut channels, mut index) = (32, 0);
    let mut all = vec![];
    for [widen, kernel, first_stride, out, blocks] in STAGES {
        let mut stage = Sequential::new();
        for block in 0..blocks {
            // torchvision's squeeze-and-excitation takes a quarter of the block's input.
            let excite = SqueezeExcite { activation, ..SqueezeExcite::new((channels / 4).max(1)) };
            let excites = names != Names::Timm;
            stage = stage.push(Inverted {
                wide: widen * channels,
                out,
                kernel,
                stride: if block == 0 { first_stride } else { 1 },
                excite: excites.then_some(excite),
                activation,
                norm: BatchNorm2d::new(),
                drop: if excites { rising(index) } else { DropPath { p: 0.0, ..rising(index) } },
                names,
            });
            (channels, index) = (out, index + 1);
        }
        all.push(stage);
    }
    all
}

/// torchvision's rate of a block: 0.2 times its place over the number of blocks.
fn rising(index: usize) -> DropPath {
    let depth = index as f64 / BLOCKS as f64;
    DropPath { p: 0.2 * depth, depth }
}
