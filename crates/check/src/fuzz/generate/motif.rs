//! Patterns of networks: where planners fuse most.

use super::super::arg::V;
use super::super::call::Call;
use super::Gen;
use super::{conv, gradient, loss, movement, norm};
use chiaro_graph::{Elementwise, PoolSpec};

/// A value joined with what is computed from it, and read elsewhere too (arXiv:1608.06993).
pub(super) fn dense(g: &mut Gen) -> Option<V> {
    let x = g.image()?;
    let y = if g.rng.percent(60) { g.call(Call::Map { op: Elementwise::Relu, operands: vec![x] })? } else { x };
    let channels = g.sizes.extent(&mut g.rng).min(9);
    let z = match g.rng.below(3) {
        0 => g.call(Call::Softmax { x: y, axis: 3, log: false })?,
        _ => conv::convolve(g, y, Some(channels))?,
    };
    let axis = if g.shape(z) == g.shape(y) { g.rng.pick(&[0, 1, 2, 3, 3]) } else { 3 };
    let mut operands = vec![y, z];
    if g.rng.percent(50) {
        operands.reverse();
    }
    let joint = g.call(Call::Concat { operands, axis })?;
    if g.rng.percent(60) {
        let op = g.rng.pick(&[Elementwise::Mul, Elementwise::Add, Elementwise::Sub]);
        g.call(Call::MapScalars { op, x: y, numbers: vec![2.0] })?;
    }
    if g.rng.percent(30) {
        return movement::join(g, joint, axis);
    }
    Some(joint)
}

/// Convolution, norm, activation, and the input added at the end (arXiv:1512.03385).
pub(super) fn residual(g: &mut Gen) -> Option<V> {
    let x = g.image()?;
    let channels = g.shape(x)[3];
    let mut y = conv::convolve(g, x, Some(channels))?;
    if g.rng.percent(70) {
        y = norm::batch_norm(g, y, 1e-3)?;
    }
    let activation = g.rng.pick(&[Elementwise::Relu, Elementwise::Silu, Elementwise::Gelu]);
    if g.rng.percent(60) {
        y = g.call(Call::Map { op: activation, operands: vec![y] })?;
        y = conv::convolve(g, y, Some(channels))?;
    }
    let sum = g.call(Call::Map { op: Elementwise::Add, operands: vec![y, x] })?;
    let out = g.call(Call::Map { op: activation, operands: vec![sum] })?;
    if g.rng.percent(40) {
        let spec = PoolSpec { kernel: [2; 2], stride: [2; 2], ..PoolSpec::square(2) };
        return g.call(Call::MaxPool2d { x: out, spec });
    }
    Some(out)
}

/// A loss over an image's features, with gradients of what led to it.
pub(super) fn trained(g: &mut Gen) -> Option<V> {
    let x = g.image()?;
    let x = conv::convolve(g, x, None)?;
    let x = g.call(Call::GlobalAvgPool2d { x })?;
    let (features, dtype, classes) = (g.shape(x)[1], g.dtype(x), g.sizes.extent(&mut g.rng).max(2));
    let weight = g.weight(&[classes, features], dtype, features)?;
    g.call(Call::Linear { x, weight, bias: None })?;
    let loss = loss::entropy(g)?;
    gradient::gradient_of(g, loss)
}
