//! Convolution: one walk over every product x * w that adds to some y serves all three directions.

use super::value::{Value, ravel};
use chiaro_graph::ConvSpec;

/// y from x and w.
pub(super) fn forward(x: Value<'_>, w: Value<'_>, spec: &ConvSpec, shape: &[usize]) -> Vec<f64> {
    let mut y = vec![0.0; shape.iter().product()];
    each_product(spec, x.shape, w.shape, shape, |xi, wi, yi| y[yi] += x.data[xi] * w.data[wi]);
    y
}

/// dx from dy and w.
pub(super) fn input_grad(dy: Value<'_>, w: Value<'_>, spec: &ConvSpec, shape: &[usize]) -> Vec<f64> {
    let mut dx = vec![0.0; shape.iter().product()];
    each_product(spec, shape, w.shape, dy.shape, |xi, wi, yi| dx[xi] += dy.data[yi] * w.data[wi]);
    dx
}

/// dw from x and dy.
pub(super) fn weight_grad(x: Value<'_>, dy: Value<'_>, spec: &ConvSpec, shape: &[usize]) -> Vec<f64> {
    let mut dw = vec![0.0; shape.iter().product()];
    each_product(spec, x.shape, shape, dy.shape, |xi, wi, yi| dw[wi] += x.data[xi] * dy.data[yi]);
    dw
}

/// Calls `f` with the positions in x `[N,H,W,I]`, w `[O,KH,KW,I/groups]` and y `[N,OH,OW,O]` of each product of a convolution.
fn each_product(spec: &ConvSpec, x: &[usize], w: &[usize], y: &[usize], mut f: impl FnMut(usize, usize, usize)) {
    let outputs_per_group = w[0] / spec.groups;
    let row_in = |axis: usize, out: usize, tap: usize| {
        (out * spec.stride[axis] + tap * spec.dilation[axis])
            .checked_sub(spec.padding[2 * axis])
            .filter(|&i| i < x[1 + axis])
    };
    for (n, oh, ow) in positions([y[0], y[1], y[2]]) {
        for (o, kh, kw) in positions([w[0], w[1], w[2]]) {
            let (Some(ih), Some(iw)) = (row_in(0, oh, kh), row_in(1, ow, kw)) else { continue };
            let first_input = o / outputs_per_group * w[3];
            let xi = ravel(x, &[n, ih, iw, first_input]);
            let wi = ravel(w, &[o, kh, kw, 0]);
            let yi = ravel(y, &[n, oh, ow, o]);
            (0..w[3]).for_each(|i| f(xi + i, wi + i, yi));
        }
    }
}

/// Every triple below three extents, in row-major order.
pub(super) fn positions([a, b, c]: [usize; 3]) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| (i, j, k))))
}
