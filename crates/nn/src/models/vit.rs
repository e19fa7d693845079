//! Vision transformers (arXiv:2010.11929, as timm has them).

use super::blocks::{dense, is_small, small_stem};
use crate::layers::{Conv2d, DropPath, Dropout, EncoderBlock, FirstToken, LayerNorm, Sequential, Tokens};

const NORM: LayerNorm = LayerNorm { eps: 1e-6 };

/// ViT-Tiny: 5,717,416 parameters for 1000 classes and 224x224 pixels, named as in timm (`vit_tiny_patch16_224`).
pub fn vit_tiny(classes: usize, image: [usize; 3]) -> Sequential {
    vit(192, 12, 3, classes, image)
}

/// ViT-Small: 22,050,664 parameters for 1000 classes and 224x224 pixels, named as in timm (`vit_small_patch16_224`).
pub fn vit_small(classes: usize, image: [usize; 3]) -> Sequential {
    vit(384, 12, 6, classes, image)
}

/// So many features, blocks and heads. Patches are 16x16 pixels, of small images 4x4.
pub fn vit(features: usize, blocks: usize, heads: usize, classes: usize, image: [usize; 3]) -> Sequential {
    let small = is_small(image);
    let patch = if small { 4 } else { 16 };
    let patches = Conv2d::new(features, patch).stride(patch);
    let layers = Sequential::new().named("patch_embed.proj", patches).then(Tokens).then(Dropout { p: 0.0 });
    let chain = (0..blocks)
        .map(|i| EncoderBlock {
            dense: dense(0, 0.02),
            eps: NORM.eps,
            drop_path: DropPath::of(i, blocks, 0.0),
            ..EncoderBlock::new(features, heads)
        })
        .fold(Sequential::new(), |chain, block| chain.push(block.layers()));
    let layers = layers.named("blocks", chain).named("norm", NORM).then(FirstToken);
    let layers = layers.named("head", dense(classes, 0.02));
    if small { layers.remarking(small_stem("patches are 4x4")) } else { layers }
}
