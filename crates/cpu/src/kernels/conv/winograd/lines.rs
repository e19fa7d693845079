//! The five small linear maps of Winograd's F(4, 3) along one line, and their use along both axes of a square.
//! Interpolation points are 0, ±√2, ±1/√2 and infinity: measured over 64 channels, results are then 8e-7 from float64, with the
//! usual points 0, ±1, ±2 1.8e-6, and a plain sum of products in order 4e-7.

use crate::raw::simd::madd;
use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

/// Channels in one vector of the transforms.
pub(crate) const LANES: usize = 16;
/// Channels come in multiples of this: behind the last whole vector half a one may be left.
pub(super) const HALF: usize = LANES / 2;
/// Outputs and inputs along the edge of a tile, and taps along the edge of a filter.
pub(super) const OUT: usize = 4;
pub(super) const EDGE: usize = 6;
pub(super) const TAPS: usize = 3;
/// Positions of a transformed tile.
pub(crate) const POSITIONS: usize = EDGE * EDGE;

/// Floats behind the channels of each position, so that the positions of a tile do not fall into few cache sets.
pub(super) const GAP: usize = LANES;

pub(super) type Floats = [f32; LANES];

/// Floats that `channels` channels take at a position or in a panel of filters: whole vectors. What stands behind the channels is read and
/// means nothing.
pub(crate) fn padded(channels: usize) -> usize {
    channels.next_multiple_of(LANES)
}

/// Work on all channels, a vector at a time.
pub(super) trait EachVector {
    /// What [`square`] needs between its two directions, made once for all vectors.
    type Between: Default;

    /// Works on `N` channels from `c` on: [`LANES`], or [`HALF`] at the end.
    fn vector<const FMA: bool, const N: usize>(&mut self, between: &mut Self::Between, c: usize);

    /// Works on `channels` channels.
    #[inline(always)]
    fn each<const FMA: bool>(&mut self, channels: usize) {
        let (whole, mut between) = (channels / LANES * LANES, Self::Between::default());
        for c in (0..whole).step_by(LANES) {
            self.vector::<FMA, LANES>(&mut between, c);
        }
        if whole < channels {
            self.vector::<FMA, HALF>(&mut between, whole);
        }
    }
}

/// The first `N` floats of a slice, zeros behind them.
#[inline(always)]
pub(super) fn lane<const N: usize>(from: &[f32]) -> Floats {
    let mut lane = [0.0; LANES];
    lane[..N].copy_from_slice(&from[..N]);
    lane
}

/// Inputs of a tile to positions.
#[inline(always)]
pub(super) fn input<const FMA: bool>(d: [f32; EDGE]) -> [f32; EDGE] {
    let near = [madd::<FMA>(-0.5, d[2], d[4]), SQRT_2 * madd::<FMA>(-0.5, d[1], d[3])];
    let far = [madd::<FMA>(-2.0, d[2], d[4]), FRAC_1_SQRT_2 * madd::<FMA>(-2.0, d[1], d[3])];
    [
        madd::<FMA>(-2.5, d[2], d[0] + d[4]),
        near[0] + near[1],
        near[0] - near[1],
        far[0] + far[1],
        far[0] - far[1],
        madd::<FMA>(-2.5, d[3], d[1] + d[5]),
    ]
}

/// Sums of products at the positions to outputs.
#[inline(always)]
pub(super) fn output<const FMA: bool>(m: [f32; EDGE]) -> [f32; OUT] {
    let (near, far) = (m[1] + m[2], m[3] + m[4]);
    let (near_odd, far_odd) = (SQRT_2 * (m[1] - m[2]), FRAC_1_SQRT_2 * (m[3] - m[4]));
    [
        m[0] + (near + far),
        near_odd + far_odd,
        madd::<FMA>(2.0, near, 0.5 * far),
        madd::<FMA>(2.0, near_odd, madd::<FMA>(0.5, far_odd, m[5])),
    ]
}

/// Taps of a filter to positions.
#[inline(always)]
pub(super) fn filter<const FMA: bool>(g: [f32; TAPS]) -> [f32; EDGE] {
    const NEAR: f32 = 1.0 / 6.0;
    const FAR: f32 = -2.0 / 3.0;
    let near = [NEAR * madd::<FMA>(2.0, g[2], g[0]), (NEAR * SQRT_2) * g[1]];
    let far = [FAR * madd::<FMA>(0.5, g[2], g[0]), (FAR * FRAC_1_SQRT_2) * g[1]];
    [g[0], near[0] + near[1], near[0] - near[1], far[0] + far[1], far[0] - far[1], g[2]]
}

/// Gradients of a tile's outputs to positions: the transpose of [`output`].
#[inline(always)]
pub(super) fn output_gradient<const FMA: bool>(y: [f32; OUT]) -> [f32; EDGE] {
    let near = [madd::<FMA>(2.0, y[2], y[0]), SQRT_2 * madd::<FMA>(2.0, y[3], y[1])];
    let far = [madd::<FMA>(0.5, y[2], y[0]), FRAC_1_SQRT_2 * madd::<FMA>(0.5, y[3], y[1])];
    [y[0], near[0] + near[1], near[0] - near[1], far[0] + far[1], far[0] - far[1], y[3]]
}

/// Sums at the positions to gradients of a filter's taps: the transpose of [`filter`].
#[inline(always)]
pub(super) fn filter_gradient<const FMA: bool>(s: [f32; EDGE]) -> [f32; TAPS] {
    const NEAR: f32 = 1.0 / 6.0;
    const FAR: f32 = -2.0 / 3.0;
    let (near, far) = (NEAR * (s[1] + s[2]), FAR * (s[3] + s[4]));
    let (near_odd, far_odd) = ((NEAR * SQRT_2) * (s[1] - s[2]), (FAR * FRAC_1_SQRT_2) * (s[3] - s[4]));
    [s[0] + (near + far), near_odd + far_odd, madd::<FMA>(2.0, near, madd::<FMA>(0.5, far, s[5]))]
}

/// Applies `line` to a vector of channels.
#[inline(always)]
fn lanes<const N: usize, const M: usize>(from: &[Floats; N], line: impl Fn([f32; N]) -> [f32; M]) -> [Floats; M] {
    let mut to = [[0.0; LANES]; M];
    for l in 0..LANES {
        let mut values = [0.0; N];
        for (value, from) in values.iter_mut().zip(from) {
            *value = from[l];
        }
        for (to, value) in to.iter_mut().zip(line(values)) {
            to[l] = value;
        }
    }
    to
}

/// Applies `line` along the columns, then along the rows of a square, element (i, j) of which `load` gives. What `between` the two
/// holds means nothing before and after.
#[inline(always)]
pub(super) fn square<const N: usize, const M: usize>(
    between: &mut [[Floats; N]; M],
    load: impl Fn(usize, usize) -> Floats,
    line: impl Fn([f32; N]) -> [f32; M],
    mut store: impl FnMut(usize, usize, &Floats),
) {
    for j in 0..N {
        let mut column = [[0.0; LANES]; N];
        for (i, lane) in column.iter_mut().enumerate() {
            *lane = load(i, j);
        }
        for (row, lane) in between.iter_mut().zip(lanes(&column, &line)) {
            row[j] = lane;
        }
    }
    for (i, row) in between.iter().enumerate() {
        for (j, lane) in lanes(row, &line).iter().enumerate() {
            store(i, j, lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_outputs_is_the_correlation_with_the_filter() {
        let (d, g) = ([0.3, -1.2, 0.7, 2.5, -0.4, 1.1], [0.9, -0.6, 0.2]);
        let (v, u) = (input::<false>(d), filter::<false>(g));
        let y = output::<false>(std::array::from_fn(|i| v[i] * u[i]));
        for (i, y) in y.iter().enumerate() {
            let want: f32 = (0..TAPS).map(|t| d[i + t] * g[t]).sum();
            assert!((y - want).abs() < 1e-5, "output {i}: {y} instead of {want}");
        }
    }

    #[test]
    fn a_filters_gradient_is_the_correlation_of_inputs_and_gradients() {
        let (d, dy) = ([0.3, -1.2, 0.7, 2.5, -0.4, 1.1], [1.4, -0.8, 0.5, 0.1]);
        let (v, e) = (input::<false>(d), output_gradient::<false>(dy));
        let g = filter_gradient::<false>(std::array::from_fn(|i| v[i] * e[i]));
        for (t, g) in g.iter().enumerate() {
            let want: f32 = (0..OUT).map(|i| d[i + t] * dy[i]).sum();
            assert!((g - want).abs() < 1e-5, "tap {t}: {g} instead of {want}");
        }
    }
}
