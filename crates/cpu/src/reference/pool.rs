//! Pooling over `[N,H,W,C]`: each window lists the image positions under it.

use super::reduce::replaces;
use super::value::{Value, each_index, ravel};
use chiaro_graph::{AvgDivisor, PoolSpec, ReduceKind};

/// Image rows (axis 0) or columns (axis 1) under the window of output position `o`.
fn taps(spec: &PoolSpec, axis: usize, extent: usize, o: usize) -> Vec<usize> {
    (0..spec.kernel[axis])
        .filter_map(|k| (o * spec.stride[axis] + k * spec.dilation[axis]).checked_sub(spec.padding[axis]))
        .filter(|&i| i < extent)
        .collect()
}

/// Flat positions in x under the window of an output index `[n, oh, ow, c]`, in row-major order.
fn window(spec: &PoolSpec, x: &[usize], index: &[usize]) -> Vec<usize> {
    let columns = taps(spec, 1, x[2], index[2]);
    let rows = taps(spec, 0, x[1], index[1]);
    rows.iter().flat_map(|&h| columns.iter().map(move |&w| ravel(x, &[index[0], h, w, index[3]]))).collect()
}

/// Flat position of the first largest element of a window (none if it lies wholly in the padding).
fn largest(spec: &PoolSpec, x: Value<'_>, index: &[usize]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for at in window(spec, x.shape, index) {
        if best.is_none_or(|b| replaces(ReduceKind::Max, x.data[at], x.data[b])) {
            best = Some(at);
        }
    }
    best
}

pub(super) fn max(x: Value<'_>, spec: &PoolSpec, shape: &[usize]) -> Vec<f64> {
    let mut y = vec![f64::NEG_INFINITY; shape.iter().product()];
    each_index(shape, |flat, index| {
        if let Some(at) = largest(spec, x, index) {
            y[flat] = x.data[at];
        }
    });
    y
}

/// Position of the largest in the H x W plane.
pub(super) fn max_index(x: Value<'_>, spec: &PoolSpec, shape: &[usize]) -> Vec<f64> {
    let mut y = vec![0.0; shape.iter().product()];
    let (plane, channels) = (x.shape[1] * x.shape[2], x.shape[3]);
    each_index(shape, |flat, index| {
        if let Some(at) = largest(spec, x, index) {
            y[flat] = (at / channels % plane) as f64;
        }
    });
    y
}

pub(super) fn max_grad(x: Value<'_>, dy: Value<'_>, spec: &PoolSpec) -> Vec<f64> {
    let mut dx = vec![0.0; x.data.len()];
    each_index(dy.shape, |flat, index| {
        if let Some(at) = largest(spec, x, index) {
            dx[at] += dy.data[flat];
        }
    });
    dx
}

/// What the sum of a window is divided by: with padding counted, the part of the window inside the padded image.
fn divisor(spec: &PoolSpec, by: AvgDivisor, x: &[usize], index: &[usize]) -> f64 {
    let extent = |axis: usize| {
        let start = index[1 + axis] * spec.stride[axis];
        spec.kernel[axis].min(x[1 + axis] + 2 * spec.padding[axis] - start)
    };
    match by {
        AvgDivisor::IncludePadding => (extent(0) * extent(1)) as f64,
        AvgDivisor::ExcludePadding => window(spec, x, index).len() as f64,
        AvgDivisor::Fixed(n) => n as f64,
    }
}

pub(super) fn avg(x: Value<'_>, spec: &PoolSpec, by: AvgDivisor, shape: &[usize]) -> Vec<f64> {
    let mut y = vec![0.0; shape.iter().product()];
    each_index(shape, |flat, index| {
        let sum: f64 = window(spec, x.shape, index).iter().map(|&at| x.data[at]).sum();
        y[flat] = sum / divisor(spec, by, x.shape, index);
    });
    y
}

pub(super) fn avg_grad(dy: Value<'_>, spec: &PoolSpec, by: AvgDivisor, shape: &[usize]) -> Vec<f64> {
    let mut dx = vec![0.0; shape.iter().product()];
    each_index(dy.shape, |flat, index| {
        let share = dy.data[flat] / divisor(spec, by, shape, index);
        window(spec, shape, index).iter().for_each(|&at| dx[at] += share);
    });
    dx
}
