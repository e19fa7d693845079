//! Convolution in three directions over channels-last images and weights `[O, KH, KW, I/groups]`.

mod depthwise;
mod depthwise_lines;
mod gather;
pub(crate) mod geometry;
pub(crate) mod pack;
mod padding;
mod phase;
mod shape;
mod weight_gradient;
pub(crate) mod winograd;

pub use pack::PackedWeights;
pub use shape::ConvExtents;
pub use weight_gradient::conv2d_weight_gradient;

use super::{Epilogue, Workspace};
use geometry::Direction;

/// `y = conv(x, w)`: x is `[N, H, W, I]`, y `[N, OH, OW, O]`, the weights come from [`PackedWeights::pack_forward`],
/// which got them from `filters`; both are given, because not every method packs.
pub fn conv2d<E: Epilogue + ?Sized>(
    workspace: &mut Workspace,
    weights: &PackedWeights,
    filters: &[f32],
    x: &[f32],
    y: &mut [f32],
    epilogue: &E,
) {
    assert_eq!(weights.direction(), Direction::Forward);
    run(workspace, weights, filters, x, y, epilogue);
}

/// `dx = conv^T(dy, w)`: dy is `[N, OH, OW, O]`, dx `[N, H, W, I]`, the weights come from
/// [`PackedWeights::pack_input_gradient`], which got them from `filters`. No multiplication with the zeros between strided pixels is made.
pub fn conv2d_input_gradient<E: Epilogue + ?Sized>(
    workspace: &mut Workspace,
    weights: &PackedWeights,
    filters: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    epilogue: &E,
) {
    assert_eq!(weights.direction(), Direction::InputGradient);
    run(workspace, weights, filters, dy, dx, epilogue);
}

fn run<E: Epilogue + ?Sized>(
    workspace: &mut Workspace,
    weights: &PackedWeights,
    filters: &[f32],
    input: &[f32],
    output: &mut [f32],
    epilogue: &E,
) {
    if weights.is_winograd() {
        winograd::run(workspace, weights, filters, input, output, epilogue);
    } else if depthwise_lines::suits(weights) {
        depthwise_lines::run(workspace, weights, input, output, epilogue);
    } else {
        gather::run(workspace, weights, input, output, epilogue);
    }
}
