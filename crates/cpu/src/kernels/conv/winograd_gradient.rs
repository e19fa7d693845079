//! The weight gradient by Winograd's method: tiles of inputs and of output gradients are transformed, the 16 positions are
//! summed as outer products over all tiles, and 3x3 gradients come back.

use super::ConvShape;
use super::weight_gradient::parts;
use super::winograd::{Grid, LANES, POSITIONS, transform_group};
use crate::kernels::pack::{Direction, Geometry};
use crate::kernels::simd::{Outer, Pick, Place, Vectorize};
use crate::kernels::tile::{Output, Splits, Tile};
use crate::kernels::workspace::{Arena, scratch};
use crate::kernels::{Workspace, row_tiles};
use rayon::prelude::*;
use std::ops::Range;

/// Floats of transformed weight gradients that fit the second-level cache beside the tiles of a block.
const SMALL_GRADIENT: usize = 1 << 17; // measured: benches/kernels.rs
/// Tiles of a block whose transforms stay in cache.
const BLOCK: usize = 132; // measured: benches/kernels.rs
/// Tiles that an outer product sums before it moves to the next output tile.
const SUM: usize = 252; // measured: benches/kernels.rs
/// Bytes of transformed tiles that are in work at a time when the stages are made one after another.
const CHUNK_BYTES: usize = 24 << 20;

/// `dw` of a shape that [`suits`](super::winograd::suits).
pub(crate) fn run(workspace: &mut Workspace, shape: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let grid = Grid::new(
        Geometry::new(shape, Direction::Forward),
        [shape.padding[0], shape.padding[2]],
        workspace.kernels().mr(),
    );
    let len = POSITIONS * shape.channels_in * shape.channels_out;
    let mut buffer = std::mem::take(&mut workspace.partials);
    let count = if len <= SMALL_GRADIENT { parts(4 * grid.tiles_of_batch(), len) } else { 1 };
    let sums = buffer.grow(count * len);
    if len <= SMALL_GRADIENT {
        fused(workspace, &grid, (x, dy), sums, count);
    } else {
        staged(workspace, &grid, (x, dy), sums);
    }
    let (channels, outputs, level) = (shape.channels_in, shape.channels_out, workspace.level());
    let sums = &*sums;
    dw.par_chunks_mut(9 * channels).enumerate().for_each(|(output, dw)| {
        let sums = &sums[output * channels..];
        level.vectorize(Filter { sums, count, step: outputs * channels, channels, dw });
    });
    workspace.partials = buffer;
}

/// Every part of the tiles has its own sums; blocks are transformed and summed while they are in cache.
fn fused(workspace: &Workspace, grid: &Grid, (x, dy): (&[f32], &[f32]), sums: &mut [f32], parts: usize) {
    let tiles = grid.tiles_of_batch();
    let (channels, outputs) = (grid.geometry.in_channels, grid.geometry.out_channels);
    let rows = parts * POSITIONS * outputs;
    let mut view = Output::matrix(sums, rows, channels, channels);
    let splits = Splits::new(rows, POSITIONS * outputs, parts);
    view.for_each(&splits, &Splits::new(channels, channels, 1), |mut tile| {
        let part = tile.row_range().start / (POSITIONS * outputs);
        let range = tiles * part / parts..tiles * (part + 1) / parts;
        let mut arena = workspace.arena();
        let Arena { offsets, taps, floats, more } = &mut *arena;
        let groups = BLOCK.div_ceil(grid.group);
        let [v_len, d_len] = grid.group_len();
        let (v, d) = (floats.grow(groups * v_len), more.grow(groups * d_len));
        for start in range.clone().step_by(BLOCK) {
            let block = start..(start + BLOCK).min(range.end);
            for (i, (v, d)) in v.chunks_exact_mut(v_len).zip(d.chunks_exact_mut(d_len)).enumerate() {
                transform_group(workspace, grid, x, block.clone(), i, v);
                transform_gradients(workspace, grid, dy, block.clone(), i, d);
            }
            let (v_list, d_list) = (scratch(offsets, SUM), scratch(taps, SUM));
            for position in 0..POSITIONS {
                let row = part * POSITIONS * outputs + position * outputs;
                let sum = Sum { grid, v, d, position, tiles: 0..block.len(), accumulate: start != range.start };
                sum.run(workspace, (v_list, d_list), row..row + outputs, 0, &mut tile);
            }
        }
    });
}

/// One stage after another over chunks of the tiles, each parallel in itself.
fn staged(workspace: &mut Workspace, grid: &Grid, (x, dy): (&[f32], &[f32]), sums: &mut [f32]) {
    let [v_len, d_len] = grid.group_len();
    let chunk = (CHUNK_BYTES / ((v_len + d_len) * size_of::<f32>())).max(1) * grid.group;
    let (mut v_buffer, mut d_buffer) = (std::mem::take(&mut workspace.padded), std::mem::take(&mut workspace.tiles));
    let share = workspace as &Workspace;
    let (channels, outputs) = (grid.geometry.in_channels, grid.geometry.out_channels);
    let mut view = Output::matrix(sums, POSITIONS * outputs, channels, channels);
    for start in (0..grid.tiles_of_batch()).step_by(chunk) {
        let tiles = start..(start + chunk).min(grid.tiles_of_batch());
        let groups = tiles.len().div_ceil(grid.group);
        let (v, d) = (v_buffer.grow(groups * v_len), d_buffer.grow(groups * d_len));
        v.par_chunks_mut(v_len).zip(d.par_chunks_mut(d_len)).enumerate().for_each(|(i, (v, d))| {
            transform_group(share, grid, x, tiles.clone(), i, v);
            transform_gradients(share, grid, dy, tiles.clone(), i, d);
        });
        let (v, d) = (&*v, &*d);
        let parts = (4 * rayon::current_num_threads()).div_ceil(POSITIONS);
        let rows = Splits::sections(POSITIONS * outputs, POSITIONS, share.kernels().mr(), parts);
        view.for_each(&rows, &Splits::new(channels, channels, 1), |mut tile| {
            let rows = tile.row_range();
            let position = rows.start / outputs;
            let mut arena = share.arena();
            let Arena { offsets, taps, .. } = &mut *arena;
            let (v_list, d_list) = (scratch(offsets, SUM), scratch(taps, SUM));
            for from in (0..tiles.len()).step_by(SUM) {
                let range = from..(from + SUM).min(tiles.len());
                let sum = Sum { grid, v, d, position, tiles: range, accumulate: start > 0 || from > 0 };
                let first = rows.start - position * outputs;
                sum.run(share, (v_list, d_list), rows.clone(), first, &mut tile);
            }
        });
    }
    workspace.padded = v_buffer;
    workspace.tiles = d_buffer;
}

/// The outer products of one position over some transformed tiles.
struct Sum<'a> {
    grid: &'a Grid,
    v: &'a [f32],
    d: &'a [f32],
    position: usize,
    tiles: Range<usize>,
    accumulate: bool,
}

impl Sum<'_> {
    /// Adds to `rows` of the sums, which are the output channels from `first`.
    fn run(
        &self,
        workspace: &Workspace,
        (v_list, d_list): (&mut [u32], &mut [u32]),
        rows: Range<usize>,
        first: usize,
        tile: &mut Tile,
    ) {
        let (kernels, group) = (workspace.kernels(), self.grid.group);
        let (channels, outputs) = (self.grid.geometry.in_channels, self.grid.geometry.out_channels);
        for (t, (v, d)) in self.tiles.clone().zip(v_list.iter_mut().zip(d_list.iter_mut())) {
            let row = (t / group * POSITIONS + self.position) * group + t % group;
            (*v, *d) = ((row * channels) as u32, (row * outputs) as u32);
        }
        let count = self.tiles.len();
        let operands = Outer::new(self.d, &d_list[..count], self.v, &v_list[..count]);
        for col in (0..channels).step_by(kernels.nr()) {
            for (row, mr) in row_tiles(rows.clone(), kernels.mr()) {
                let place = Place { row, rows: mr, col, cols: kernels.nr().min(channels - col) };
                let pick = Pick::From(first + row - rows.start);
                kernels.outer(&operands, pick, col, tile, place, self.accumulate);
            }
        }
    }
}

/// Transforms the output gradients of group `index` of `tiles` into `[position][tile of the group][channel]`.
fn transform_gradients(
    workspace: &Workspace,
    grid: &Grid,
    dy: &[f32],
    tiles: Range<usize>,
    index: usize,
    group: &mut [f32],
) {
    let start = tiles.start + index * grid.group;
    let [height, width] = grid.geometry.output;
    let channels = grid.geometry.out_channels;
    for tile in start..(start + grid.group).min(tiles.end) {
        let [image, ty, tx] = grid.position(tile);
        let offsets = std::array::from_fn(|i| {
            let (y, x) = (2 * ty + i / 2, 2 * tx + i % 2);
            (y < height && x < width).then_some(((image * height + y) * width + x) * channels)
        });
        let row = tile - start;
        workspace.level().vectorize(GradientTile { dy, offsets, channels, rows: grid.group, row, group });
    }
}

/// `A dy A^T` of one tile, for all channels.
struct GradientTile<'a> {
    dy: &'a [f32],
    offsets: [Option<usize>; 4],
    channels: usize,
    rows: usize,
    row: usize,
    group: &'a mut [f32],
}

impl Vectorize for GradientTile<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for c in (0..self.channels).step_by(LANES) {
            let mut g = [[0.0f32; LANES]; 4];
            for (g, offset) in g.iter_mut().zip(&self.offsets) {
                if let Some(offset) = offset {
                    g.copy_from_slice(&self.dy[offset + c..][..LANES]);
                }
            }
            let mut d = [[0.0f32; LANES]; POSITIONS];
            for l in 0..LANES {
                // Columns, then rows, of [1 0; 1 1; 1 -1; 0 -1].
                let mut t = [0.0; 8];
                for j in 0..2 {
                    let [a, b] = [g[j][l], g[2 + j][l]];
                    [t[j], t[2 + j], t[4 + j], t[6 + j]] = [a, a + b, a - b, -b];
                }
                for i in 0..4 {
                    let [a, b] = [t[2 * i], t[2 * i + 1]];
                    [d[4 * i][l], d[4 * i + 1][l], d[4 * i + 2][l], d[4 * i + 3][l]] = [a, a + b, a - b, -b];
                }
            }
            for (position, d) in d.iter().enumerate() {
                let at = (position * self.rows + self.row) * self.channels + c;
                self.group[at..at + LANES].copy_from_slice(d);
            }
        }
    }
}

/// `G^T s G` of one output channel, where `s` is the sum over parts `[part][position][output][input]`.
struct Filter<'a> {
    sums: &'a [f32],
    count: usize,
    /// Floats between positions.
    step: usize,
    channels: usize,
    dw: &'a mut [f32],
}

impl Vectorize for Filter<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for c in (0..self.channels).step_by(LANES) {
            let mut s = [[0.0f32; LANES]; POSITIONS];
            for part in 0..self.count {
                for (position, s) in s.iter_mut().enumerate() {
                    let from = &self.sums[(part * POSITIONS + position) * self.step + c..][..LANES];
                    s.iter_mut().zip(from).for_each(|(s, f)| *s += f);
                }
            }
            let mut g = [[0.0f32; LANES]; 9];
            for l in 0..LANES {
                // Columns, then rows, of [1 1/2 1/2 0; 0 1/2 -1/2 0; 0 1/2 1/2 1].
                let mut t = [0.0; 12];
                for j in 0..4 {
                    let [a, b, c, d] = [s[j][l], s[4 + j][l], s[8 + j][l], s[12 + j][l]];
                    let (sum, difference) = (0.5 * (b + c), 0.5 * (b - c));
                    [t[j], t[4 + j], t[8 + j]] = [a + sum, difference, sum + d];
                }
                for i in 0..3 {
                    let [a, b, c, d] = [t[4 * i], t[4 * i + 1], t[4 * i + 2], t[4 * i + 3]];
                    let (sum, difference) = (0.5 * (b + c), 0.5 * (b - c));
                    [g[3 * i][l], g[3 * i + 1][l], g[3 * i + 2][l]] = [a + sum, difference, sum + d];
                }
            }
            for (tap, g) in g.iter().enumerate() {
                self.dw[tap * self.channels + c..][..LANES].copy_from_slice(g);
            }
        }
    }
}
