//! The weight gradient: tiles of inputs and of output gradients are transformed, each position is summed as outer products
//! over all tiles, and 3x3 gradients come back.

use super::CHUNK_BYTES;
use super::lines::{self, EDGE, EachVector, Floats, LANES, POSITIONS, TAPS, padded, square};
use super::tiles::{Groups, TileGrid, transform_gradients, transform_inputs};
use crate::kernels::Workspace;
use crate::kernels::conv::ConvExtents;
use crate::kernels::conv::geometry::{Direction, Geometry};
use crate::kernels::conv::weight_gradient::parts;
use crate::kernels::workspace::{ScratchArena, scratch};
use crate::raw::simd::{Kernels, Outer, Vectorize};
use crate::raw::tile::{Output, OutputTile, Splits};
use rayon::prelude::*;
use std::ops::Range;

/// Bytes of transformed weight gradients that fit a core's cache beside the tiles of a block.
const SMALL_BYTES: usize = 640 << 10; // by the size of the second-level cache; twice as slow at 0
/// Bytes of the tiles of a block.
const BLOCK_BYTES: usize = 500 << 10; // 200 KiB measured 8 % slower, more alike
/// Output and input channels of a task.
const CHANNELS: usize = 64; // measured: benches/kernels.rs

const FLOAT: usize = size_of::<f32>();

/// `dw` of a shape that [`suits`](super::suits).
pub(crate) fn run(workspace: &mut Workspace, shape: &ConvExtents, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let grid = TileGrid::new(Geometry::new(shape, Direction::Forward), [shape.padding[0], shape.padding[2]]);
    if shape.batch == 0 {
        dw.fill(0.0);
    } else if POSITIONS * padded(shape.channels_in) * shape.channels_out * FLOAT <= SMALL_BYTES {
        by_parts(workspace, &grid, (x, dy), dw);
    } else {
        by_channels(workspace, &grid, (x, dy), dw);
    }
}

/// Transformed inputs and gradients of some tiles.
struct Transformed<'a> {
    groups: Groups,
    v: &'a [f32],
    d: &'a [f32],
    /// Input and output channels.
    channels: [usize; 2],
}

impl Transformed<'_> {
    /// Where the tiles of position 0 lie.
    fn list(&self, v_list: &mut [u32], d_list: &mut [u32]) {
        let rows = self.groups.rows;
        for (t, (v, d)) in v_list.iter_mut().zip(d_list).enumerate() {
            let at = self.channels.map(|c| (t / rows * self.groups.len(c) + t % rows * padded(c)) as u32);
            [*v, *d] = at;
        }
    }

    /// `to[output][input] (+)= sum over tiles`, for whole vectors of input channels, at the position of this number, for some output and input channels.
    fn sum(
        &self,
        kernels: Kernels,
        position: usize,
        lists: [&[u32]; 2],
        [outputs, inputs]: [Range<usize>; 2],
        to: &mut [f32],
        accumulate: bool,
    ) {
        let [v, d] = [(self.v, self.channels[0]), (self.d, self.channels[1])]
            .map(|(data, channels)| &data[position * self.groups.position_len(channels)..]);
        kernels.outers(&Outer::new(d, lists[1], v, lists[0]), [outputs, inputs], to, accumulate);
    }
}

/// Parts of the tiles with sums of their own, each in blocks that are transformed and summed while they are in cache.
fn by_parts(workspace: &mut Workspace, grid: &TileGrid, (x, dy): (&[f32], &[f32]), dw: &mut [f32]) {
    let channels = [grid.geometry.in_channels, grid.geometry.out_channels];
    let tiles = grid.geometry.batch * grid.per_image();
    let width = padded(channels[0]);
    let len = POSITIONS * width * channels[1];
    let count = parts(16 * tiles, len);
    let mut buffer = std::mem::take(&mut workspace.partials);
    let sums = buffer.grow(count * len);
    let (share, most) = (workspace as &Workspace, workspace.kernels().mr());
    let rows = POSITIONS * channels[1];
    let block = (BLOCK_BYTES / (POSITIONS * (channels[0] + channels[1]) * FLOAT)).max(most) / most * most;
    let mut view = Output::matrix(sums, count * rows, width, width);
    view.for_each(&Splits::new(count * rows, rows, count), &Splits::new(width, width, 1), |mut tile| {
        let range = tiles * tile.row_part() / count..tiles * (tile.row_part() + 1) / count;
        let sums = tile.dense_rows(tile.row_range().start, rows).expect("whole rows lie one behind the other");
        part_task(share, grid, (x, dy), range, block, sums);
    });
    let (sums, level) = (&*sums, workspace.level());
    dw.par_chunks_mut(TAPS * TAPS * channels[0]).enumerate().for_each(|(output, dw)| {
        let sums = &sums[output * width..];
        level.vectorize(Filter { sums, parts: count, position: width * channels[1], channels: channels[0], dw });
    });
    workspace.partials = buffer;
}

/// The sums of some tiles at all positions.
fn part_task(
    workspace: &Workspace,
    grid: &TileGrid,
    (x, dy): (&[f32], &[f32]),
    tiles: Range<usize>,
    block: usize,
    sums: &mut [f32],
) {
    let channels = [grid.geometry.in_channels, grid.geometry.out_channels];
    let kernels = workspace.kernels();
    let mut arena = workspace.arena();
    let ScratchArena { offsets, taps, floats, more, .. } = &mut *arena;
    for start in tiles.clone().step_by(block) {
        let groups = Groups::new(start..(start + block).min(tiles.end), kernels.mr());
        let lens = channels.map(|c| groups.len(c));
        let (v, d) = (floats.grow(groups.count * lens[0]), more.grow(groups.count * lens[1]));
        for (i, (v, d)) in v.chunks_exact_mut(lens[0]).zip(d.chunks_exact_mut(lens[1])).enumerate() {
            transform_inputs(workspace, grid, x, &groups, i, v);
            transform_gradients(workspace, grid, dy, &groups, i, d);
        }
        let (v_list, d_list) = (scratch(offsets, groups.tiles.len()), scratch(taps, groups.tiles.len()));
        let all = Transformed { groups, v, d, channels };
        all.list(v_list, d_list);
        let width = padded(channels[0]);
        for (position, to) in sums.chunks_exact_mut(width * channels[1]).enumerate() {
            let of = [0..channels[1], 0..width];
            all.sum(kernels, position, [v_list, d_list], of, to, start != tiles.start);
        }
    }
}

/// Everything transformed first, some images at a time; then each task sums up the gradients of its channels.
fn by_channels(workspace: &mut Workspace, grid: &TileGrid, (x, dy): (&[f32], &[f32]), dw: &mut [f32]) {
    let channels = [grid.geometry.in_channels, grid.geometry.out_channels];
    let per_image = grid.per_image();
    let bytes = POSITIONS * (padded(channels[0]) + padded(channels[1])) * FLOAT * per_image;
    let images = (2 * CHUNK_BYTES / bytes).max(1);
    let (mut v_buffer, mut d_buffer) = (std::mem::take(&mut workspace.padded), std::mem::take(&mut workspace.tiles));
    let (share, most) = (workspace as &Workspace, workspace.kernels().mr());
    let taps = TAPS * TAPS;
    for start in (0..grid.geometry.batch).step_by(images) {
        let end = (start + images).min(grid.geometry.batch);
        let groups = Groups::new(start * per_image..end * per_image, most);
        let lens = channels.map(|c| groups.len(c));
        let (v, d) = (v_buffer.grow(groups.count * lens[0]), d_buffer.grow(groups.count * lens[1]));
        v.par_chunks_mut(lens[0]).zip(d.par_chunks_mut(lens[1])).enumerate().for_each(|(i, (v, d))| {
            transform_inputs(share, grid, x, &groups, i, v);
            transform_gradients(share, grid, dy, &groups, i, d);
        });
        let all = Transformed { groups, v, d, channels };
        let mut view = Output::matrix(dw, taps * channels[1], channels[0], channels[0]);
        let splits = [channels[1], channels[0]].map(|c| c.div_ceil(CHANNELS));
        let rows = Splits::new(taps * channels[1], taps * CHANNELS, splits[0]);
        let cols = Splits::new(channels[0], CHANNELS, splits[1]);
        view.for_each(&rows, &cols, |mut tile| channels_task(share, &all, start > 0, &mut tile));
    }
    workspace.padded = v_buffer;
    workspace.tiles = d_buffer;
}

/// The gradients in a tile of dw.
fn channels_task(workspace: &Workspace, all: &Transformed, accumulate: bool, tile: &mut OutputTile) {
    let taps = TAPS * TAPS;
    let (rows, inputs) = (tile.row_range(), tile.col_range());
    let outputs = rows.start / taps..rows.end / taps;
    let (cols, width, count) = (inputs.len(), padded(inputs.len()), all.groups.tiles.len());
    let mut arena = workspace.arena();
    let ScratchArena { offsets, taps: list, floats, lines, .. } = &mut *arena;
    let (v_list, d_list) = (scratch(offsets, count), scratch(list, count));
    all.list(v_list, d_list);
    let sums = floats.grow(POSITIONS * outputs.len() * width);
    for (position, to) in sums.chunks_exact_mut(outputs.len() * width).enumerate() {
        let of = [outputs.clone(), inputs.start..inputs.start + width];
        all.sum(workspace.kernels(), position, [v_list, d_list], of, to, false);
    }
    let dw = lines.grow(taps * cols);
    for (i, output) in outputs.clone().enumerate() {
        let position = outputs.len() * width;
        workspace.level().vectorize(Filter { sums: &sums[i * width..], parts: 1, position, channels: cols, dw });
        for (tap, from) in dw.chunks_exact(cols).enumerate() {
            let to = tile.row(output * taps + tap);
            match accumulate {
                true => to.iter_mut().zip(from).for_each(|(to, from)| *to += from),
                false => to.copy_from_slice(from),
            }
        }
    }
}

/// The 3x3 gradients of one output channel, where the sums lie in parts `[part][position][..][input]`.
struct Filter<'a> {
    sums: &'a [f32],
    parts: usize,
    /// Floats between positions.
    position: usize,
    channels: usize,
    dw: &'a mut [f32],
}

impl Vectorize for Filter<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        self.each::<FMA>(self.channels);
    }
}

impl EachVector for Filter<'_> {
    type Between = [[Floats; EDGE]; TAPS];

    #[inline(always)]
    fn vector<const FMA: bool, const N: usize>(&mut self, between: &mut Self::Between, c: usize) {
        let load = |i: usize, j: usize| {
            let mut lane = [0.0; LANES];
            for part in 0..self.parts {
                let at = (part * POSITIONS + i * EDGE + j) * self.position + c;
                lane.iter_mut().zip(&self.sums[at..at + LANES]).for_each(|(sum, value)| *sum += value);
            }
            lane
        };
        square(between, load, lines::filter_gradient::<FMA>, |i, j, lane| {
            self.dw[(i * TAPS + j) * self.channels + c..][..N].copy_from_slice(&lane[..N]);
        });
    }
}
