//! What several models are built of.

use crate::init::{Fan, Init};
use crate::layers::{Activation, BatchNorm2d, Conv2d, Linear, Sequential};

/// The side below which images are small: models made for 224 pixels then begin with a stem that shrinks them less.
pub(super) const SMALL: usize = 64;

/// Whether images of this height, width and channels are small.
pub(super) fn is_small(image: [usize; 3]) -> bool {
    image[0].min(image[1]) < SMALL
}

/// The remark on a stem for small images.
pub(super) fn small_stem(what: &str) -> String {
    format!("for images below {SMALL} pixels, {what}")
}

/// How convolutions start: Kaiming normal over the fan out, gain √2.
pub(super) const KAIMING: Init = Init::KaimingNormal { gain: std::f64::consts::SQRT_2, fan: Fan::Out };

/// A convolution without bias that keeps the extents at stride 1, started as torchvision does.
pub(super) fn conv(out: usize, kernel: usize) -> Conv2d {
    Conv2d::new(out, kernel).padding(kernel / 2).without_bias().weight_init(KAIMING)
}

/// Convolution, norm and activation, named `0` and `1` as in torchvision.
pub(super) fn conv_norm(conv: Conv2d, norm: BatchNorm2d, activation: Option<Activation>) -> Sequential {
    let layers = Sequential::new().push(conv).push(norm);
    match activation {
        Some(activation) => layers.push(activation),
        None => layers,
    }
}

/// A dense layer with normal weights of this spread and no bias to start from.
pub(super) fn dense(out: usize, std: f64) -> Linear {
    Linear { weight_init: Init::Normal { std }, bias_init: Some(Init::ZEROS), ..Linear::new(out) }
}
