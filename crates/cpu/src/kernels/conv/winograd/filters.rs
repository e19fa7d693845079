//! Filters transformed to the positions: `[panel][position][k][padded column]`, all of them ahead of a call where they stay in a
//! core's cache, else by the task that is about to multiply with them, so that they never reach memory.

use super::lines::{self, GAP, LANES, POSITIONS, TAPS, lane, padded, square};
use crate::kernels::Level;
use crate::kernels::conv::geometry::{Direction, Geometry};
use crate::kernels::transpose::{copy_row, transpose_rows};
use crate::kernels::workspace::Aligned;
use crate::raw::simd::Vectorize;
use std::ops::Range;

/// Bytes of transformed filters up to which every task walks all of them.
const STORED_BYTES: usize = 640 << 10; // by the size of the second-level cache, not measured
/// Channels whose plain filters are brought in order at once.
const CHANNELS: usize = 32;

/// Floats of some transformed filters at one position.
pub(super) fn filters_len(depth: usize, cols: usize) -> usize {
    depth * padded(cols) + GAP
}

/// Floats of a panel of `cols` columns.
pub(crate) fn panel_len(depth: usize, cols: usize) -> usize {
    POSITIONS * filters_len(depth, cols)
}

/// Whether all transformed filters are to be kept.
pub(crate) fn are_stored(geometry: &Geometry) -> bool {
    POSITIONS * geometry.in_channels * geometry.out_channels * size_of::<f32>() <= STORED_BYTES
}

/// The filters of some output columns.
pub(crate) struct FilterPanel<'a> {
    pub(crate) direction: Direction,
    pub(crate) geometry: &'a Geometry,
    /// As the user has them.
    pub(crate) weights: &'a [f32],
    pub(crate) cols: Range<usize>,
}

impl FilterPanel<'_> {
    /// Writes `[position][k][column]` for the input channels `range`; `scratch` holds plain filters meanwhile.
    pub(crate) fn transform(&self, level: Level, range: Range<usize>, scratch: &mut Aligned, to: &mut [f32]) {
        let step = padded(self.cols.len());
        for k in range.clone().step_by(CHANNELS) {
            let some = k..(k + CHANNELS).min(range.end);
            let plain = scratch.grow(TAPS * TAPS * some.len() * step);
            for (tap, plain) in plain.chunks_exact_mut(some.len() * step).enumerate() {
                self.plain(level, tap, some.clone(), plain);
            }
            level.vectorize(Filters { plain, to, start: (k - range.start) * step });
        }
    }

    /// `to[k][padded column]` of one tap.
    fn plain(&self, level: Level, tap: usize, range: Range<usize>, to: &mut [f32]) {
        let (kc, cols, taps) = (self.geometry.kc, &self.cols, TAPS * TAPS);
        match self.direction {
            Direction::Forward => {
                let (depth, from) = (taps * kc, tap * kc);
                let weights = &self.weights[cols.start * depth..cols.end * depth];
                transpose_rows(level, weights, depth, from + range.start..from + range.end, cols.len(), to);
            }
            // The gradient of a convolution is one with the filters turned around.
            Direction::InputGradient => {
                for (k, row) in range.zip(to.chunks_exact_mut(padded(cols.len()))) {
                    let from = (k * taps + taps - 1 - tap) * self.geometry.out_channels;
                    let (row, behind) = row.split_at_mut(cols.len());
                    copy_row(&self.weights[from + cols.start..from + cols.end], row);
                    behind.fill(0.0);
                }
            }
        }
    }
}

/// `plain` is `[9][k][column]`, `to` gets `[36][k][column]`, the first k of each position at `start`,
/// and has a gap behind each position.
struct Filters<'a> {
    plain: &'a [f32],
    to: &'a mut [f32],
    start: usize,
}

impl Vectorize for Filters<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        // Padded columns come in multiples of LANES, and so do the floats of a tap.
        let (len, step) = (self.plain.len() / (TAPS * TAPS), self.to.len() / POSITIONS);
        let mut between = [[[0.0; LANES]; _]; _];
        for at in (0..len).step_by(LANES) {
            let load = |i: usize, j: usize| lane::<LANES>(&self.plain[(i * TAPS + j) * len + at..]);
            square(&mut between, load, lines::filter::<FMA>, |i, j, lane| {
                let to = (i * lines::EDGE + j) * step + self.start + at;
                self.to[to..to + LANES].copy_from_slice(lane);
            });
        }
    }
}
