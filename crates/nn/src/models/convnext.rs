//! ConvNeXt (arXiv:2201.03545, as torchvision has it).

use super::blocks::{dense, is_small, small_stem};
use crate::init::Init;
use crate::layers::{Activation, Conv2d, DropPath, GlobalAvgPool, LayerNorm, LayerScale, Sequential, Sum};

/// Channels and blocks of each stage of the smallest.
const TINY: [(usize, usize); 4] = [(96, 3), (192, 3), (384, 9), (768, 3)];

const NORM: LayerNorm = LayerNorm { eps: 1e-6 };

/// ConvNeXt-Tiny: 28,589,128 parameters for 1000 classes, named as in torchvision. Residual branches are dropped with
/// probabilities up to 0.1.
pub fn convnext_tiny(classes: usize, image: [usize; 3]) -> Sequential {
    convnext(&TINY, classes, image)
}

/// Stages of so many channels and blocks.
pub fn convnext(stages: &[(usize, usize)], classes: usize, image: [usize; 3]) -> Sequential {
    let patch = if is_small(image) { 2 } else { 4 };
    let count = stages.iter().map(|stage| stage.1).sum();
    let (mut features, mut index) = (Sequential::new(), 0);
    for (i, &(channels, blocks)) in stages.iter().enumerate() {
        features = features.push(match i {
            0 => Sequential::new().push(conv(channels, patch).stride(patch)).push(NORM),
            _ => Sequential::new().push(NORM).push(conv(channels, 2).stride(2)),
        });
        let mut stage = Sequential::new();
        for _ in 0..blocks {
            stage = stage.push(block(channels, DropPath::of(index, count, 0.1)));
            index += 1;
        }
        features = features.push(stage);
    }
    // torchvision flattens between norm and dense layer, which has the number 2.
    let classifier = Sequential::new().push(NORM).named("2", dense(classes, 0.02));
    let layers =
        Sequential::new().named("features", features).named("avgpool", GlobalAvgPool).named("classifier", classifier);
    if patch == 2 { layers.remarking(small_stem("the first convolution takes patches of 2x2")) } else { layers }
}

fn conv(out: usize, kernel: usize) -> Conv2d {
    let bias_init = Some(Init::ZEROS);
    Conv2d { bias_init, ..Conv2d::new(out, kernel) }.weight_init(Init::Normal { std: 0.02 })
}

/// A 7x7 depthwise convolution, norm, and dense layers to four times the channels and back, scaled and added to the input. In
/// torchvision two more layers move the channels to the last axis, where here they are.
fn block(channels: usize, drop: DropPath) -> Sequential {
    let residue = Sequential::new()
        .named("0", conv(channels, 7).padding(3).groups(channels))
        .named("2", NORM)
        .named("3", dense(4 * channels, 0.02))
        .named("4", Activation::Gelu)
        .named("5", dense(channels, 0.02));
    let residue = Sequential::new().named("block", residue).then(LayerScale { initial: 1e-6 }).then(drop);
    Sequential::new().then(Sum(vec![residue, Sequential::new()]))
}
