//! The convolution and its input gradient: tiles that stay in a core's cache go through all three stages in one task; where
//! the filters are too many for that, inputs are transformed first, and a task has some columns of the filters.

use super::CHUNK_BYTES;
use super::filters::FilterPanel;
use super::lines::{OUT, POSITIONS, padded};
use super::output::{Lines, Products};
use super::tiles::{Groups, TileGrid, transform_inputs};
use crate::kernels::conv::pack::PackedWeights;
use crate::kernels::transpose::copy_row;
use crate::kernels::workspace::ScratchArena;
use crate::kernels::{Epilogue, Workspace};
use crate::raw::simd::PAD;
use crate::raw::tile::{Output, OutputTile, Splits};
use rayon::prelude::*;
use std::ops::Range;

/// Bytes of transformed inputs and products of a task that makes all stages.
const TASK_BYTES: usize = 360 << 10; // 200 to 500 KiB measured alike
/// Tiles that a task multiplies with its columns of the filters: fewer would transform the filters more often.
const TASK_TILES: usize = 128; // 128 to 256 measured alike, 64 slower
/// Input channels whose filters are transformed and multiplied at a time.
const DEPTH: usize = 128; // by the size of the second-level cache; 64 to 128 measured alike

/// Runs packed weights, of which `filters` are the plain form, over `input`.
pub(crate) fn run<E: Epilogue + ?Sized>(
    workspace: &mut Workspace,
    weights: &PackedWeights,
    filters: &[f32],
    input: &[f32],
    output: &mut [f32],
    epilogue: &E,
) {
    let geometry = *weights.geometry();
    assert_eq!((input.len(), output.len()), (geometry.input_len(), geometry.output_len()));
    assert!(input.len() < PAD as usize);
    workspace.prepare(0);
    let grid = TileGrid::new(geometry, weights.padding_before());
    if super::are_stored(&geometry) {
        stored(workspace, weights, &grid, input, output, epilogue);
    } else {
        assert_eq!(filters.len(), weights.shape().weights_len());
        transformed(workspace, weights, &grid, filters, input, output, epilogue);
    }
}

/// Cuts the pixels of `images` output images into whole rows of tiles, about `tiles` tiles each.
fn splits(grid: &TileGrid, images: usize, tiles: usize) -> Splits {
    let [height, width] = grid.geometry.output;
    let (image, per_image) = (height * width, grid.per_image());
    if per_image > tiles {
        Splits::sections(images * image, images, OUT * width, per_image.div_ceil(tiles))
    } else {
        Splits::new(images * image, tiles / per_image * image, images)
    }
}

/// The tiles, numbered from the first image, that cover output pixels from and to the border of a row of tiles.
fn tiles_of(grid: &TileGrid, pixels: &Range<usize>) -> Range<usize> {
    let [height, width] = grid.geometry.output;
    let row = |pixel: usize| {
        let (image, rest) = (pixel / (height * width), pixel % (height * width));
        image * grid.tiles[0] + rest.div_ceil(OUT * width)
    };
    row(pixels.start) * grid.tiles[1]..row(pixels.end) * grid.tiles[1]
}

/// All three stages in each task.
fn stored<E: Epilogue + ?Sized>(
    workspace: &Workspace,
    weights: &PackedWeights,
    grid: &TileGrid,
    input: &[f32],
    output: &mut [f32],
    epilogue: &E,
) {
    let TileGrid { geometry, .. } = grid;
    let (depth, channels, kernels) = (geometry.in_channels, geometry.out_channels, workspace.kernels());
    let [height, width] = geometry.output;
    let bytes = POSITIONS * size_of::<f32>() * (padded(depth) + weights.panel_width());
    let mut view = Output::matrix(output, geometry.batch * height * width, channels, channels);
    let rows = splits(grid, geometry.batch, (TASK_BYTES / bytes).max(kernels.mr()));
    view.for_each(&rows, &Splits::new(channels, channels, 1), |mut tile| {
        let pixels = tile.row_range();
        let groups = Groups::new(tiles_of(grid, &pixels), kernels.mr());
        let mut arena = workspace.arena();
        let ScratchArena { floats, more, .. } = &mut *arena;
        let v = floats.grow(groups.count * groups.len(depth));
        for (i, v) in v.chunks_exact_mut(groups.len(depth)).enumerate() {
            transform_inputs(workspace, grid, input, &groups, i, v);
        }
        let y = tile.dense_rows(pixels.start, pixels.len()).expect("whole pixels lie one behind the other");
        for panel in weights.winograd_panels() {
            let m = more.grow(POSITIONS * groups.products_len(panel.step));
            let blocks = groups.blocks(depth, groups.len(depth), depth, panel.step);
            kernels.blocks(v, panel.data, m, &blocks, false);
            let products = Products { grid, m, cols: panel.cols, step: panel.step, groups: &groups };
            let mut lines = Lines { y, first: pixels.start, col: panel.col, pixel: channels };
            groups.tiles.clone().for_each(|t| products.back(workspace, t, &mut lines));
        }
        if !epilogue.is_noop() {
            epilogue.apply(pixels.start, pixels.len(), 0, channels, y, channels);
        }
    });
}

/// Inputs first, some images at a time; then each task transforms the filters of its columns as it needs them.
fn transformed<E: Epilogue + ?Sized>(
    workspace: &mut Workspace,
    weights: &PackedWeights,
    grid: &TileGrid,
    filters: &[f32],
    input: &[f32],
    output: &mut [f32],
    epilogue: &E,
) {
    let TileGrid { geometry, .. } = grid;
    let (depth, channels) = (geometry.in_channels, geometry.out_channels);
    let image = geometry.output[0] * geometry.output[1];
    let bytes = POSITIONS * padded(depth) * size_of::<f32>() * grid.per_image();
    let images = (CHUNK_BYTES / bytes).clamp(1, geometry.batch.max(1));
    let mut buffer = std::mem::take(&mut workspace.padded);
    let share = workspace as &Workspace;
    let most = share.kernels().mr();
    for (i, output) in output.chunks_mut(images * image * channels).enumerate() {
        let count = output.len() / (image * channels);
        let (first_tile, first_row) = (i * images * grid.per_image(), i * images * image);
        let rows = splits(grid, count, TASK_TILES);
        let groups = |part: usize| {
            let tiles = tiles_of(grid, &rows.range(part));
            Groups::new(tiles.start + first_tile..tiles.end + first_tile, most)
        };
        // Each part has room for the groups of the largest.
        let slots = (0..rows.parts).map(|part| groups(part).count).max().unwrap_or(0);
        let slot = (0..rows.parts).map(|part| groups(part).len(depth)).max().unwrap_or(0);
        let v = buffer.grow(rows.parts * slots * slot);
        v.par_chunks_mut(slot).enumerate().for_each(|(i, v)| {
            let groups = groups(i / slots);
            if i % slots < groups.count {
                transform_inputs(share, grid, input, &groups, i % slots, v);
            }
        });
        let v = &*v;
        let mut view = Output::matrix(output, count * image, channels, channels);
        let cols = Splits::new(channels, weights.panel_width(), channels);
        view.for_each(&rows, &cols, |mut tile| {
            let (part, cols) = (tile.row_part(), tile.col_range());
            let panel = FilterPanel { direction: weights.direction(), geometry, weights: filters, cols };
            let task = ColumnTask { workspace: share, grid, panel, groups: groups(part), first_row, slot };
            task.run(&v[part * slots * slot..(part + 1) * slots * slot], &mut tile, epilogue);
        });
    }
    workspace.padded = buffer;
}

/// Some columns of some tiles.
struct ColumnTask<'a> {
    workspace: &'a Workspace,
    grid: &'a TileGrid,
    panel: FilterPanel<'a>,
    groups: Groups,
    /// Number of the output's first pixel in the whole batch.
    first_row: usize,
    slot: usize,
}

impl ColumnTask<'_> {
    fn run<E: Epilogue + ?Sized>(&self, v: &[f32], tile: &mut OutputTile, epilogue: &E) {
        let (kernels, level) = (self.workspace.kernels(), self.workspace.level());
        let tiles = &self.groups.tiles;
        let (depth, cols) = (self.grid.geometry.in_channels, self.panel.cols.len());
        let step = padded(cols);
        let mut arena = self.workspace.arena();
        let ScratchArena { floats, more, filters, lines, .. } = &mut *arena;
        let m = more.grow(POSITIONS * self.groups.products_len(step));
        for k in (0..depth).step_by(DEPTH) {
            let some = k..(k + DEPTH).min(depth);
            let u = floats.grow(super::panel_len(some.len(), step));
            self.panel.transform(level, some.clone(), filters, u);
            let blocks = self.groups.blocks(depth, self.slot, some.len(), step);
            kernels.blocks(&v[k..], u, m, &blocks, k > 0);
        }
        let products = Products { grid: self.grid, m, cols, step, groups: &self.groups };
        let [height, width] = self.grid.geometry.output;
        for start in tiles.clone().step_by(self.grid.tiles[1]) {
            let [image, ty, _] = self.grid.position(start);
            let (first, count) = ((image * height + OUT * ty) * width, OUT.min(height - OUT * ty) * width);
            let y = lines.grow(count * step);
            let mut to = Lines { y, first, col: 0, pixel: step };
            (start..start + self.grid.tiles[1]).for_each(|t| products.back(self.workspace, t, &mut to));
            if !epilogue.is_noop() {
                epilogue.apply(first, count, self.panel.cols.start, cols, y, step);
            }
            for (r, from) in y.chunks_exact(step).enumerate() {
                copy_row(&from[..cols], tile.row(first - self.first_row + r));
            }
        }
    }
}
