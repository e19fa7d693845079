//! Convolution in three directions over channels-last images and weights `[O, KH, KW, I/groups]`.

mod depthwise;
mod gather;
mod padding;
mod shape;
mod weight_gradient;
pub(crate) mod winograd;
mod winograd_gradient;

pub(crate) use gather::{Phase, forward_phase, gradient_phases, merged_phase, winograd_phase};
pub(crate) use padding::{needs_merging, padded_size};
pub use shape::ConvShape;
pub use weight_gradient::conv2d_weight_gradient;

use super::{Epilogue, PackedWeights, Workspace};
use crate::kernels::pack::Direction;

/// `y = conv(x, w)`: x is `[N, H, W, I]`, y `[N, OH, OW, O]`, the weights come from [`PackedWeights::pack_forward`].
pub fn conv2d<E: Epilogue + ?Sized>(
    workspace: &mut Workspace,
    weights: &PackedWeights,
    x: &[f32],
    y: &mut [f32],
    epilogue: &E,
) {
    assert_eq!(weights.direction(), Direction::Forward);
    run(workspace, weights, x, y, epilogue);
}

/// `dx = conv^T(dy, w)`: dy is `[N, OH, OW, O]`, dx `[N, H, W, I]`, the weights come from
/// [`PackedWeights::pack_input_gradient`]. No multiplication with the zeros between strided pixels is made.
pub fn conv2d_input_gradient<E: Epilogue + ?Sized>(
    workspace: &mut Workspace,
    weights: &PackedWeights,
    dy: &[f32],
    dx: &mut [f32],
    epilogue: &E,
) {
    assert_eq!(weights.direction(), Direction::InputGradient);
    run(workspace, weights, dy, dx, epilogue);
}

fn run<E: Epilogue + ?Sized>(
    workspace: &mut Workspace,
    weights: &PackedWeights,
    input: &[f32],
    output: &mut [f32],
    epilogue: &E,
) {
    if weights.is_winograd() {
        winograd::run(workspace, weights, input, output, epilogue);
    } else {
        gather::run(workspace, weights, input, output, epilogue);
    }
}
