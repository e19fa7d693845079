//! Depthwise convolution: every channel is filtered alone, so that the loops run over channels in vectors.

use super::ConvExtents;
use super::gather::Gathered;
use super::pack::PackedWeights;
use super::weight_gradient::parts;
use crate::kernels::workspace::{ScratchArena, scratch};
use crate::kernels::{Epilogue, Workspace, finish, row_tiles};
use crate::raw::simd::{Depthwise, Vectorize, madd};
use crate::raw::tile::{Output, OutputTile, Splits};
use rayon::prelude::*;
use std::ops::Range;

/// Output pixels whose offsets are gathered at once.
const ROWS: usize = 16;
/// Channels of a weight gradient that are kept in registers.
const LANES: usize = 64;

/// Forward and input gradient: the gathered pixels of `source` times tap-major weights.
pub(crate) fn run_phase<E: Epilogue + ?Sized>(
    workspace: &Workspace,
    weights: &PackedWeights,
    phase: usize,
    source: &Gathered,
    input: &[f32],
    mut output: Output,
    epilogue: &E,
) {
    let channels = weights.geometry().out_channels;
    let (taps, kernels) = (source.taps(), workspace.kernels());
    let cols = Splits::new(channels, channels, 1);
    let rows = Splits::new(output.rows(), ROWS, 4 * rayon::current_num_threads());
    output.for_each(&rows, &cols, |mut tile| {
        let mut arena = workspace.arena();
        let ScratchArena { offsets, taps: used, .. } = &mut *arena;
        let (offsets, used) = (scratch(offsets, taps * ROWS), scratch(used, taps));
        for (row, count) in row_tiles(tile.row_range(), ROWS) {
            let active = source.gather(row, count, &mut offsets[..taps * count], used);
            let run = |y: &mut [f32], first: usize| {
                let of = Depthwise {
                    x: input,
                    weights: weights.tap_major(phase),
                    taps: &used[..active],
                    offsets: &offsets[first.min(active * count)..active * count],
                    stride: count,
                    channels,
                };
                kernels.depthwise(&of, y);
            };
            match tile.dense_rows(row, count) {
                Some(rows) => run(rows, 0),
                None => (0..count).for_each(|r| run(tile.row(row + r), r)),
            }
            finish(&mut tile, row, count, channels, epilogue);
        }
    });
}

/// `sum[c] += x[c] * dy[c]` over a run of pixels of one output line.
struct GradientLine<'a> {
    sum: &'a mut [f32],
    x: &'a [f32],
    x_step: usize,
    dy: &'a [f32],
    count: usize,
}

impl Vectorize for GradientLine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let channels = self.sum.len();
        for (chunk, sum) in self.sum.chunks_mut(LANES).enumerate() {
            let (c, len) = (chunk * LANES, sum.len());
            let mut acc = [0.0; LANES];
            acc[..len].copy_from_slice(sum);
            for pixel in 0..self.count {
                let x = &self.x[pixel * self.x_step + c..][..len];
                let dy = &self.dy[pixel * channels + c..][..len];
                if len == LANES {
                    for ((a, x), dy) in acc.iter_mut().zip(&x[..LANES]).zip(&dy[..LANES]) {
                        *a = madd::<FMA>(*x, *dy, *a);
                    }
                } else {
                    for ((a, x), dy) in acc.iter_mut().zip(x).zip(dy) {
                        *a = madd::<FMA>(*x, *dy, *a);
                    }
                }
            }
            sum.copy_from_slice(&acc[..len]);
        }
    }
}

/// The weight gradient, `dw[c][tap]`.
pub(crate) fn weight_gradient(workspace: &mut Workspace, shape: &ConvExtents, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let lines = shape.batch * shape.out_height();
    let (channels, taps) = (shape.channels_in, shape.taps());
    let parts = parts(lines * shape.out_width(), dw.len()).min(lines.max(1));
    let mut partials = std::mem::take(&mut workspace.partials);
    let share = workspace as &Workspace;
    let mut output = Output::matrix(partials.grow(parts * taps * channels), parts * taps, channels, channels);
    let rows = Splits::new(parts * taps, taps, parts);
    output.for_each(&rows, &Splits::new(channels, channels, 1), |mut tile| {
        let part = tile.row_range().start / taps;
        let range = lines * part / parts..lines * (part + 1) / parts;
        lines_task(share, shape, x, dy, range, &mut tile);
    });
    let sums = partials.get();
    dw.par_chunks_mut(taps).enumerate().for_each(|(c, row)| {
        for (t, value) in row.iter_mut().enumerate() {
            *value = (0..parts).map(|p| sums[(p * taps + t) * channels + c]).sum();
        }
    });
    workspace.partials = partials;
}

fn lines_task(
    workspace: &Workspace,
    shape: &ConvExtents,
    x: &[f32],
    dy: &[f32],
    lines: Range<usize>,
    tile: &mut OutputTile,
) {
    let (height, width, channels) = (shape.out_height(), shape.out_width(), shape.channels_in);
    let first = tile.row_range().start;
    for tap in 0..shape.taps() {
        tile.row(first + tap).fill(0.0);
    }
    for line in lines {
        for tap in 0..shape.taps() {
            let at = [tap / shape.kernel[1], tap % shape.kernel[1]];
            let y = line % height * shape.stride[0] + at[0] * shape.dilation[0];
            let Some(y) = y.checked_sub(shape.padding[0]).filter(|&y| y < shape.height) else {
                continue;
            };
            // Output columns whose tap falls into the image: ox * stride + shift in padding..padding + width.
            let (shift, left) = (at[1] * shape.dilation[1], shape.padding[2]);
            let from = left.saturating_sub(shift).div_ceil(shape.stride[1]);
            let to = (left + shape.width).saturating_sub(shift).div_ceil(shape.stride[1]).min(width);
            if from >= to {
                continue;
            }
            let start = from * shape.stride[1] + shift - left;
            let source = (line / height * shape.height + y) * shape.width + start;
            workspace.level().vectorize(GradientLine {
                sum: tile.row(first + tap),
                x: &x[source * channels..],
                x_step: shape.stride[1] * channels,
                dy: &dy[(line * width + from) * channels..],
                count: to - from,
            });
        }
    }
}
