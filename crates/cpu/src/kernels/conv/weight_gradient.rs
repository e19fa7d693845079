//! The weight gradient: for each filter tap, a sum of outer products of output gradients and input pixels, read in place.
//! Sums over pixels are cut into parts that depend on the shape alone, so that any number of threads gives the same bits.

use super::ConvExtents;
use super::padding::{needs_merging, padded_input};
use super::{depthwise, winograd};
use crate::kernels::workspace::{ScratchArena, scratch};
use crate::kernels::{Workspace, row_tiles};
use crate::raw::lanes::prefetch;
use crate::raw::simd::{Kernels, Outer, PAD, Pick, TilePlace};
use crate::raw::tile::{Output, OutputTile, Splits};
use rayon::prelude::*;
use std::ops::Range;

/// Pixels whose gradient and input lie in L2 while all tiles of a task pass over them.
const BLOCK: usize = 128; // measured: benches/kernels.rs
/// Fewest pixels of a part of the sum, and most floats of all partial sums together.
const LEAST_PIXELS: usize = 512;
const MOST_PARTIALS: usize = 5 << 18;
/// Parts of a sum, and tasks of a call: enough for many cores, the same for any number of them.
const MOST_PARTS: usize = 32;
const TASKS: usize = 32;

/// `dw[o][tap][i] = sum over pixels of dy[o] * x[i]`: x is `[N, H, W, I]`, dy `[N, OH, OW, O]`, dw `[O, KH, KW, I/groups]`.
pub fn conv2d_weight_gradient(workspace: &mut Workspace, shape: &ConvExtents, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    assert_eq!(x.len(), shape.input_len());
    assert_eq!(dy.len(), shape.output_len());
    assert_eq!(dw.len(), shape.weights_len());
    assert!(x.len() < PAD as usize && dy.len() < PAD as usize);
    workspace.prepare(0);
    if shape.is_depthwise() {
        depthwise::weight_gradient(workspace, shape, x, dy, dw);
    } else if winograd::suits(shape) {
        winograd::run_gradient(workspace, shape, x, dy, dw);
    } else if needs_merging(shape) {
        few_channels(workspace, shape, x, dy, dw);
    } else {
        by_tap(workspace, shape, x, dy, dw);
    }
}

/// Parts into which a sum over `pixels` is cut when each has `len` floats of partial sums.
pub(super) fn parts(pixels: usize, len: usize) -> usize {
    let room = MOST_PARTIALS / len.max(1);
    (pixels / LEAST_PIXELS).min(room).clamp(1, MOST_PARTS)
}

fn by_tap(workspace: &mut Workspace, shape: &ConvExtents, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let pixels = shape.batch * shape.out_height() * shape.out_width();
    let (outputs, taps) = (shape.channels_out, shape.taps());
    let per_tap = shape.channels_in / shape.groups;
    let parts = parts(pixels, dw.len());
    // The fewer tasks share a block of pixels, the fewer read it from memory.
    let col_parts = [1, shape.kernel[0]].into_iter().find(|n| parts * n >= TASKS).unwrap_or(taps);
    let cols = Splits::new(taps * per_tap, taps / col_parts * per_tap, col_parts);
    let chunks = TASKS.div_ceil(parts * col_parts).min(outputs.div_ceil(2 * workspace.kernels().mr()));
    let mut partials = std::mem::take(&mut workspace.partials);
    let target = if parts == 1 { &mut *dw } else { partials.grow(parts * dw.len()) };
    // Row (part, output) of the partial sums; a task owns some outputs of one part.
    let rows = Splits::sections(parts * outputs, parts, 1, chunks);
    let mut output = Output::matrix(target, parts * outputs, taps * per_tap, taps * per_tap);
    let share = workspace as &Workspace;
    output.for_each(&rows, &cols, |mut tile| {
        let part = tile.row_range().start / outputs;
        let range = pixels * part / parts..pixels * (part + 1) / parts;
        taps_task(share, shape, x, dy, range, &mut tile);
    });
    if parts > 1 {
        sum_parts(partials.get(), parts, dw);
    }
    workspace.partials = partials;
}

/// All taps in the tile's columns, for its outputs and the given pixels.
fn taps_task(
    workspace: &Workspace,
    shape: &ConvExtents,
    x: &[f32],
    dy: &[f32],
    pixels: Range<usize>,
    tile: &mut OutputTile,
) {
    let kernels = workspace.kernels();
    let per_tap = shape.channels_in / shape.groups;
    let mut arena = workspace.arena();
    let ScratchArena { offsets, taps, .. } = &mut *arena;
    let (x_list, dy_list) = (scratch(offsets, BLOCK), scratch(taps, BLOCK));
    for start in pixels.clone().step_by(BLOCK) {
        let end = (start + BLOCK).min(pixels.end);
        let cols = tile.col_range();
        let steps = cols.len().div_ceil(kernels.nr()) * tile.row_range().len().div_ceil(kernels.mr());
        let mut ahead = Ahead::new(shape, x, dy, start..end, steps);
        for tap in cols.start / per_tap..cols.end / per_tap {
            let count = list_pixels(shape, start..end, tap, x_list, dy_list);
            let operands = Outer::new(dy, &dy_list[..count], x, &x_list[..count]);
            let first = start == pixels.start;
            tap_tiles(kernels, shape, &operands, tap, tile, !first, &mut ahead);
        }
    }
}

fn tap_tiles(
    kernels: Kernels,
    shape: &ConvExtents,
    operands: &Outer,
    tap: usize,
    tile: &mut OutputTile,
    accumulate: bool,
    ahead: &mut Ahead,
) {
    let (per_tap, per_group) = (shape.channels_in / shape.groups, shape.channels_out / shape.groups);
    let rows = tile.row_range();
    let first_output = rows.start / shape.channels_out * shape.channels_out;
    let outputs = rows.start - first_output..rows.end - first_output;
    for group in outputs.start / per_group..outputs.end.div_ceil(per_group) {
        let of_group = outputs.start.max(group * per_group)..outputs.end.min((group + 1) * per_group);
        for col in (0..per_tap).step_by(kernels.nr()) {
            for (output, mr) in row_tiles(of_group.clone(), kernels.mr()) {
                let place = TilePlace {
                    row: first_output + output,
                    rows: mr,
                    col: tap * per_tap + col,
                    cols: kernels.nr().min(per_tap - col),
                };
                let b_col = group * per_tap + col;
                kernels.outer(operands, Pick::From(output), b_col, tile, place, accumulate);
                ahead.step();
            }
        }
    }
}

/// Fetches the next block of pixels into the cache a little at a time while this one is in work: without it, each block
/// begins with a wait for memory that no other work covers.
struct Ahead<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    x_step: usize,
    dy_step: usize,
}

impl<'a> Ahead<'a> {
    /// Prepares for `steps` calls of [`step`](Self::step) during the block `now`.
    fn new(shape: &ConvExtents, x: &'a [f32], dy: &'a [f32], now: Range<usize>, steps: usize) -> Self {
        let next = now.end * shape.channels_out..(now.end + now.len()) * shape.channels_out;
        let dy = &dy[next.start.min(dy.len())..next.end.min(dy.len())];
        let scale = |at: usize| {
            let pixels = shape.batch * shape.out_height() * shape.out_width();
            (x.len() as u128 * at as u128 / pixels.max(1) as u128) as usize
        };
        let next = scale(now.end)..scale(now.end + now.len());
        let x = &x[next.start.min(x.len())..next.end.min(x.len())];
        Self { x, dy, x_step: x.len().div_ceil(steps).max(1), dy_step: dy.len().div_ceil(steps).max(1) }
    }

    fn step(&mut self) {
        let (now, later) = self.x.split_at(self.x_step.min(self.x.len()));
        prefetch(now);
        self.x = later;
        let (now, later) = self.dy.split_at(self.dy_step.min(self.dy.len()));
        prefetch(now);
        self.dy = later;
    }
}

/// Offsets of the input pixels that `tap` reads for output pixels `pixels`, and of those output pixels; padding left out.
fn list_pixels(
    shape: &ConvExtents,
    pixels: Range<usize>,
    tap: usize,
    x_list: &mut [u32],
    dy_list: &mut [u32],
) -> usize {
    let (height, width) = (shape.out_height(), shape.out_width());
    let at = [tap / shape.kernel[1], tap % shape.kernel[1]];
    let [dy, dx] = [0, 1].map(|i| (at[i] * shape.dilation[i]) as isize - shape.padding[2 * i] as isize);
    let (channels_in, channels_out) = (shape.channels_in, shape.channels_out);
    let mut count = 0;
    let mut pixel = pixels.start;
    while pixel < pixels.end {
        let (line, from) = (pixel / width, pixel % width);
        let to = width.min(from + pixels.end - pixel);
        let (image, oy) = (line / height, line % height);
        let y = (oy * shape.stride[0]) as isize + dy;
        if (0..shape.height as isize).contains(&y) {
            let base = (image * shape.height + y as usize) * shape.width;
            for ox in from..to {
                let x = (ox * shape.stride[1]) as isize + dx;
                // Written always and counted only when inside: no branch to mispredict.
                x_list[count] = ((base as isize + x) as u32).wrapping_mul(channels_in as u32);
                dy_list[count] = ((line * width + ox) * channels_out) as u32;
                count += usize::from((x as usize) < shape.width);
            }
        }
        pixel += to - from;
    }
    count
}

/// `total[i] = sum over parts`, in order.
pub(super) fn sum_parts(partials: &[f32], parts: usize, total: &mut [f32]) {
    const CHUNK: usize = 4096;
    let len = total.len();
    total.par_chunks_mut(CHUNK).enumerate().for_each(|(i, total)| {
        let at = i * CHUNK;
        total.copy_from_slice(&partials[at..at + total.len()]);
        for part in 1..parts {
            let from = &partials[part * len + at..][..total.len()];
            total.iter_mut().zip(from).for_each(|(t, f)| *t += f);
        }
    });
}

/// Few input channels: rows are the (tap, channel) pairs of a patch, columns the outputs; transposed at the end.
fn few_channels(workspace: &mut Workspace, shape: &ConvExtents, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let (height, width) = (shape.out_height(), shape.out_width());
    let pixels = shape.batch * height * width;
    let depth = shape.taps() * shape.channels_in;
    let outputs = shape.channels_out;
    let parts = parts(pixels, dw.len());
    let mut buffer = std::mem::take(&mut workspace.padded);
    let mut partials = std::mem::take(&mut workspace.partials);
    let mut patch = std::mem::take(&mut workspace.patch);
    let (x, size) = padded_input(shape, x, &mut buffer);
    patch.clear();
    patch.extend((0..depth).map(|k| {
        let (tap, channel) = (k / shape.channels_in, k % shape.channels_in);
        let y = tap / shape.kernel[1] * shape.dilation[0];
        let x = tap % shape.kernel[1] * shape.dilation[1];
        ((y * size[1] + x) * shape.channels_in + channel) as u32
    }));
    let share = workspace as &Workspace;
    let target = partials.grow(parts * depth * outputs);
    let mut output = Output::matrix(target, parts * depth, outputs, outputs);
    let whole = Splits::new(outputs, outputs, 1);
    output.for_each(&Splits::new(parts * depth, depth, parts), &whole, |mut tile| {
        let part = tile.row_range().start / depth;
        let range = pixels * part / parts..pixels * (part + 1) / parts;
        patch_task(share, shape, (x, size), dy, &patch, range, &mut tile);
    });
    let partials_data = partials.get();
    dw.par_chunks_mut(depth).enumerate().for_each(|(o, row)| {
        for (k, value) in row.iter_mut().enumerate() {
            let sum = |part: usize| partials_data[(part * depth + k) * outputs + o];
            *value = (0..parts).map(sum).sum();
        }
    });
    workspace.padded = buffer;
    workspace.partials = partials;
    workspace.patch = patch;
}

fn patch_task(
    workspace: &Workspace,
    shape: &ConvExtents,
    (x, [in_height, in_width]): (&[f32], [usize; 2]),
    dy: &[f32],
    patch: &[u32],
    pixels: Range<usize>,
    tile: &mut OutputTile,
) {
    let kernels = workspace.kernels();
    let (height, width) = (shape.out_height(), shape.out_width());
    let first_row = tile.row_range().start;
    let mut arena = workspace.arena();
    let ScratchArena { offsets, taps, .. } = &mut *arena;
    let (x_list, dy_list) = (scratch(offsets, BLOCK), scratch(taps, BLOCK));
    for start in pixels.clone().step_by(BLOCK) {
        let count = BLOCK.min(pixels.end - start);
        let (mut line, mut ox) = (start / width, start % width);
        for (i, (x, dy)) in x_list.iter_mut().zip(dy_list.iter_mut()).take(count).enumerate() {
            let y = line / height * in_height + line % height * shape.stride[0];
            *x = ((y * in_width + ox * shape.stride[1]) * shape.channels_in) as u32;
            *dy = ((start + i) * shape.channels_out) as u32;
            ox += 1;
            if ox == width {
                (ox, line) = (0, line + 1);
            }
        }
        let operands = Outer::new(x, &x_list[..count], dy, &dy_list[..count]);
        for col in (0..shape.channels_out).step_by(kernels.nr()) {
            // Nine row offsets fit the registers of x86-64; more would be read from memory again and again.
            for (k, mr) in row_tiles(0..patch.len(), kernels.mr().min(9)) {
                let place =
                    TilePlace { row: first_row + k, rows: mr, col, cols: kernels.nr().min(shape.channels_out - col) };
                let pick = Pick::At(&patch[k..k + mr]);
                kernels.outer(&operands, pick, col, tile, place, start != pixels.start);
            }
        }
    }
}
