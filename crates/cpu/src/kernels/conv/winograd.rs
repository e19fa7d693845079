//! Winograd's F(2x2, 3x3) for 3x3 filters of stride 1: 16 products per 2x2 outputs instead of 36 (Lavin and Gray 2015).
//! Each tile of 4x4 inputs is transformed, the 16 positions are multiplied as matrices, and 2x2 outputs come back.

use super::ConvShape;
use crate::kernels::pack::{Geometry, PackedWeights};
use crate::kernels::simd::{MAX_MR, PAD, Panel, Place, Rows, Vectorize};
use crate::kernels::tile::{Output, Splits, Tile};
use crate::kernels::workspace::Arena;
use crate::kernels::{Epilogue, Workspace};
use rayon::prelude::*;
use std::ops::Range;

/// Positions of a transformed tile.
pub(crate) const POSITIONS: usize = 16;
/// Channels in one vector of the transforms.
pub(super) const LANES: usize = 16;
/// Fewest channels for which the transforms pay.
const LEAST_CHANNELS: usize = 32; // measured: benches/kernels.rs
/// Bytes of weights up to which every task can afford to walk all of them.
const SMALL_WEIGHTS: usize = 2 << 20; // measured: benches/kernels.rs
/// Tiles of a task that makes all three stages, so that its transformed tiles stay in L2.
const TASK_TILES: usize = 96; // measured: benches/kernels.rs
/// Bytes of transformed tiles that are in work at a time when the stages are made one after another.
const CHUNK_BYTES: usize = 24 << 20;

/// Whether the transform applies to a shape and pays.
pub(crate) fn suits(shape: &ConvShape) -> bool {
    let fits = |c: usize| c >= LEAST_CHANNELS && c.is_multiple_of(LANES);
    (shape.kernel, shape.stride, shape.dilation, shape.groups) == ([3; 2], [1; 2], [1; 2], 1)
        && shape.padding.iter().all(|&p| p <= 2)
        && fits(shape.channels_in)
        && fits(shape.channels_out)
        && shape.out_height().min(shape.out_width()) >= 2
}

/// The tiles of a convolution: a grid of `tiles` over each output image.
pub(super) struct Grid {
    pub(super) geometry: Geometry,
    /// Rows and columns of padding before the input.
    before: [usize; 2],
    tiles: [usize; 2],
    /// Tiles that are multiplied together, one micro-kernel high.
    pub(super) group: usize,
}

impl Grid {
    pub(super) fn new(geometry: Geometry, before: [usize; 2], group: usize) -> Self {
        Self { geometry, before, tiles: geometry.output.map(|size| size.div_ceil(2)), group }
    }

    /// Tiles of all images.
    pub(super) fn tiles_of_batch(&self) -> usize {
        self.geometry.batch * self.per_image()
    }

    fn per_image(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// Offsets of the 4x4 inputs of tile (image, row, column).
    fn offsets(&self, [image, ty, tx]: [usize; 3]) -> [u32; POSITIONS] {
        let [height, width] = self.geometry.input;
        std::array::from_fn(|i| {
            let y = (2 * ty + i / 4).wrapping_sub(self.before[0]);
            let x = (2 * tx + i % 4).wrapping_sub(self.before[1]);
            if y < height && x < width {
                (((image * height + y) * width + x) * self.geometry.in_channels) as u32
            } else {
                PAD
            }
        })
    }

    pub(super) fn position(&self, tile: usize) -> [usize; 3] {
        let (image, rest) = (tile / self.per_image(), tile % self.per_image());
        [image, rest / self.tiles[1], rest % self.tiles[1]]
    }

    /// Floats of one group of transformed inputs, and of outputs.
    pub(super) fn group_len(&self) -> [usize; 2] {
        [self.geometry.in_channels, self.geometry.out_channels].map(|c| POSITIONS * self.group * c)
    }
}

/// Runs packed weights over `input`.
pub(crate) fn run<E: Epilogue + ?Sized>(
    workspace: &mut Workspace,
    weights: &PackedWeights,
    input: &[f32],
    output: &mut [f32],
    epilogue: &E,
) {
    let geometry = *weights.geometry();
    assert_eq!((input.len(), output.len()), (geometry.input_len(), geometry.output_len()));
    assert!(input.len() < PAD as usize);
    workspace.prepare(geometry.kc);
    let grid = Grid::new(geometry, weights.padding_before(), workspace.kernels().mr());
    let small = geometry.in_channels * geometry.out_channels * POSITIONS * size_of::<f32>() <= SMALL_WEIGHTS;
    if small && grid.per_image() * 2 >= TASK_TILES {
        fused(workspace, weights, &grid, input, output, epilogue);
    } else {
        staged(workspace, weights, &grid, input, output, epilogue);
    }
}

/// A view of the output by lines, and its cut into whole tile rows, about `tiles` tiles each.
fn lines<'a>(grid: &Grid, images: usize, output: &'a mut [f32], tiles: usize) -> (Output<'a>, Splits, Splits) {
    let [height, width] = grid.geometry.output;
    let line = width * grid.geometry.out_channels;
    let parts = grid.per_image().div_ceil(tiles);
    (
        Output::matrix(output, images * height, line, line),
        Splits::sections(images * height, images, 2, parts),
        Splits::new(line, line, 1),
    )
}

/// All three stages in each task, on tiles that stay in L2.
fn fused<E: Epilogue + ?Sized>(
    workspace: &Workspace,
    weights: &PackedWeights,
    grid: &Grid,
    input: &[f32],
    output: &mut [f32],
    epilogue: &E,
) {
    let (mut view, rows, cols) = lines(grid, grid.geometry.batch, output, TASK_TILES);
    view.for_each(&rows, &cols, |mut tile| {
        let tiles = tiles_of_lines(grid, &tile.row_range());
        let groups = tiles.len().div_ceil(grid.group);
        let [in_len, out_len] = grid.group_len();
        let mut arena = workspace.arena();
        let Arena { floats, more, .. } = &mut *arena;
        let (v, m) = (floats.grow(groups * in_len), more.grow(groups * out_len));
        for (i, group) in v.chunks_exact_mut(in_len).enumerate() {
            transform_group(workspace, grid, input, tiles.clone(), i, group);
        }
        let mut products = products(grid, groups, m);
        multiply(workspace, weights, grid, v, groups, &mut products.tile());
        transform_back(workspace, grid, m, tiles.start, &mut tile, epilogue);
    });
}

/// One stage after another over chunks of the batch, each parallel in itself: large weights are read once a chunk.
fn staged<E: Epilogue + ?Sized>(
    workspace: &mut Workspace,
    weights: &PackedWeights,
    grid: &Grid,
    input: &[f32],
    output: &mut [f32],
    epilogue: &E,
) {
    let [in_len, out_len] = grid.group_len();
    let per_tile = (in_len + out_len) / grid.group * size_of::<f32>();
    let images = (CHUNK_BYTES / (per_tile * grid.per_image())).clamp(1, grid.geometry.batch.max(1));
    let image = grid.geometry.output_len() / grid.geometry.batch.max(1);
    let mut v_buffer = std::mem::take(&mut workspace.padded);
    let mut m_buffer = std::mem::take(&mut workspace.partials);
    let share = workspace as &Workspace;
    for (i, output) in output.chunks_mut(images * image).enumerate() {
        let count = output.len() / image;
        let first = i * images * grid.per_image();
        let tiles = first..first + count * grid.per_image();
        let groups = tiles.len().div_ceil(grid.group);
        let (v, m) = (v_buffer.grow(groups * in_len), m_buffer.grow(groups * out_len));
        v.par_chunks_mut(in_len).enumerate().for_each(|(i, group)| {
            transform_group(share, grid, input, tiles.clone(), i, group);
        });
        let v = &*v;
        let tasks = (4 * rayon::current_num_threads()).div_ceil(POSITIONS);
        let cols = Splits::new(grid.geometry.out_channels, share.kernels().nr(), tasks);
        let rows = Splits::new(POSITIONS * groups * grid.group, groups * grid.group, POSITIONS);
        products(grid, groups, m).for_each(&rows, &cols, |mut tile| {
            multiply(share, weights, grid, v, groups, &mut tile);
        });
        let m = &*m;
        let (mut view, rows, cols) = lines(grid, count, output, TASK_TILES);
        view.for_each(&rows, &cols, |mut tile| {
            let rows = i * images * grid.geometry.output[0] * grid.geometry.output[1];
            transform_back(share, grid, m, 0, &mut tile, &Shifted { epilogue, rows });
        });
    }
    workspace.padded = v_buffer;
    workspace.partials = m_buffer;
}

/// An epilogue of a part of the output that starts at pixel `rows` of the whole.
struct Shifted<'a, E: ?Sized> {
    epilogue: &'a E,
    rows: usize,
}

impl<E: Epilogue + ?Sized> Epilogue for Shifted<'_, E> {
    fn apply(&self, row: usize, rows: usize, col: usize, cols: usize, tile: &mut [f32], stride: usize) {
        self.epilogue.apply(self.rows + row, rows, col, cols, tile, stride);
    }

    fn is_noop(&self) -> bool {
        self.epilogue.is_noop()
    }
}

/// The tiles, numbered from the first image, that cover the given output lines.
fn tiles_of_lines(grid: &Grid, lines: &Range<usize>) -> Range<usize> {
    let height = grid.geometry.output[0];
    let row = |line: usize| line / height * grid.tiles[0] + (line % height).div_ceil(2);
    row(lines.start) * grid.tiles[1]..row(lines.end) * grid.tiles[1]
}

/// Products as a matrix whose rows are (position, group, tile of the group); in memory the group comes first.
fn products<'a>(grid: &Grid, groups: usize, m: &'a mut [f32]) -> Output<'a> {
    let channels = grid.geometry.out_channels;
    let [_, group_len] = grid.group_len();
    let strides = [grid.group * channels, group_len, channels];
    Output::new(m, 0, [POSITIONS, groups, grid.group], strides, channels)
}

/// Transforms group `index` of `tiles` into `[position][tile of the group][channel]`.
pub(super) fn transform_group(
    workspace: &Workspace,
    grid: &Grid,
    input: &[f32],
    tiles: Range<usize>,
    index: usize,
    group: &mut [f32],
) {
    let start = tiles.start + index * grid.group;
    for tile in start..(start + grid.group).min(tiles.end) {
        workspace.level().vectorize(InputTile {
            x: input,
            offsets: grid.offsets(grid.position(tile)),
            channels: grid.geometry.in_channels,
            rows: grid.group,
            row: tile - start,
            group,
        });
    }
}

/// `M[position] = V[position] * U[position]` for the rows and columns of a tile of the products.
fn multiply(workspace: &Workspace, weights: &PackedWeights, grid: &Grid, v: &[f32], groups: usize, tile: &mut Tile) {
    let kernels = workspace.kernels();
    let channels = grid.geometry.in_channels;
    let offsets: [u32; MAX_MR] = std::array::from_fn(|r| (r * channels) as u32);
    let per_position = groups * grid.group;
    let positions = tile.row_range().start / per_position..tile.row_range().end / per_position;
    for position in positions {
        for panel in weights.panels(0, 0, tile.col_range()) {
            let len = channels * panel.step;
            let b = Panel { b: &panel.data[position * len..(position + 1) * len], step: panel.step };
            for group in 0..groups {
                let v = &v[(group * POSITIONS + position) * grid.group * channels..];
                let a = Rows::new(v, workspace.zeros(), &offsets[..grid.group], &[0], channels);
                let row = position * per_position + group * grid.group;
                let place = Place { row, rows: grid.group, col: panel.col, cols: panel.cols };
                kernels.rows(&a, b, tile, place, false);
            }
        }
    }
}

/// Output lines of a tile from the products `m` of the tiles from number `first`.
fn transform_back<E: Epilogue + ?Sized>(
    workspace: &Workspace,
    grid: &Grid,
    m: &[f32],
    first: usize,
    tile: &mut Tile,
    epilogue: &E,
) {
    let lines = tile.row_range();
    let tiles = tiles_of_lines(grid, &lines);
    let [_, group_len] = grid.group_len();
    let channels = grid.geometry.out_channels;
    let [height, width] = grid.geometry.output;
    let block = tile.dense_rows(lines.start, lines.len()).expect("whole lines lie one behind the other");
    let line = width * channels;
    for number in tiles {
        let [image, ty, tx] = grid.position(number);
        let at = number - first;
        let top = image * height + 2 * ty - lines.start;
        workspace.level().vectorize(OutputTile {
            group: &m[at / grid.group * group_len..][..group_len],
            rows: grid.group,
            row: at % grid.group,
            channels,
            y: &mut block[top * line + 2 * tx * channels..],
            line,
            size: [2.min(height - 2 * ty), 2.min(width - 2 * tx)],
        });
    }
    if !epilogue.is_noop() {
        epilogue.apply(lines.start * width, lines.len() * width, 0, channels, block, channels);
    }
}

/// `B^T d B` of one tile, for all channels.
struct InputTile<'a> {
    x: &'a [f32],
    offsets: [u32; POSITIONS],
    channels: usize,
    rows: usize,
    row: usize,
    group: &'a mut [f32],
}

impl Vectorize for InputTile<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        if self.offsets.contains(&PAD) { self.channels::<true>() } else { self.channels::<false>() }
    }
}

impl InputTile<'_> {
    #[inline(always)]
    fn channels<const PADDED: bool>(self) {
        for c in (0..self.channels).step_by(LANES) {
            let mut d = [[0.0f32; LANES]; POSITIONS];
            for (d, &offset) in d.iter_mut().zip(&self.offsets) {
                if !PADDED || offset != PAD {
                    d.copy_from_slice(&self.x[offset as usize + c..][..LANES]);
                }
            }
            let mut v = [[0.0f32; LANES]; POSITIONS];
            for l in 0..LANES {
                // Columns, then rows, of [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1].
                let mut t = [0.0; POSITIONS];
                for j in 0..4 {
                    let [a, b, c, d] = [d[j][l], d[4 + j][l], d[8 + j][l], d[12 + j][l]];
                    [t[j], t[4 + j], t[8 + j], t[12 + j]] = [a - c, b + c, c - b, b - d];
                }
                for i in 0..4 {
                    let [a, b, c, d] = [t[4 * i], t[4 * i + 1], t[4 * i + 2], t[4 * i + 3]];
                    [v[4 * i][l], v[4 * i + 1][l], v[4 * i + 2][l], v[4 * i + 3][l]] = [a - c, b + c, c - b, b - d];
                }
            }
            for (position, v) in v.iter().enumerate() {
                let at = (position * self.rows + self.row) * self.channels + c;
                self.group[at..at + LANES].copy_from_slice(v);
            }
        }
    }
}

/// `A^T m A` of one tile, for all channels.
struct OutputTile<'a> {
    group: &'a [f32],
    rows: usize,
    row: usize,
    channels: usize,
    y: &'a mut [f32],
    line: usize,
    /// Lines and pixels of the tile that lie in the image.
    size: [usize; 2],
}

impl Vectorize for OutputTile<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for c in (0..self.channels).step_by(LANES) {
            let mut m = [[0.0f32; LANES]; POSITIONS];
            for (position, m) in m.iter_mut().enumerate() {
                let at = (position * self.rows + self.row) * self.channels + c;
                m.copy_from_slice(&self.group[at..at + LANES]);
            }
            let mut y = [[0.0f32; LANES]; 4];
            for l in 0..LANES {
                // Columns, then rows, of [1 1 1 0; 0 1 -1 -1].
                let mut t = [0.0; 8];
                for j in 0..4 {
                    let [a, b, c, d] = [m[j][l], m[4 + j][l], m[8 + j][l], m[12 + j][l]];
                    [t[j], t[4 + j]] = [a + b + c, b - c - d];
                }
                for i in 0..2 {
                    let [a, b, c, d] = [t[4 * i], t[4 * i + 1], t[4 * i + 2], t[4 * i + 3]];
                    [y[2 * i][l], y[2 * i + 1][l]] = [a + b + c, b - c - d];
                }
            }
            for i in 0..self.size[0] {
                for j in 0..self.size[1] {
                    let at = i * self.line + j * self.channels + c;
                    self.y[at..at + LANES].copy_from_slice(&y[2 * i + j]);
                }
            }
        }
    }
}

/// `G g G^T` of some filters: `filters` is `[9][k][column]`, `panel` gets `[16][k][column]`, the first k of each at `start`.
pub(crate) struct Filters<'a> {
    pub(crate) filters: &'a [f32],
    pub(crate) panel: &'a mut [f32],
    pub(crate) start: usize,
}

impl Vectorize for Filters<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        // Channels come in multiples of LANES (`suits`), and so do the floats of a tap.
        const CHUNK: usize = LANES;
        let len = self.filters.len() / 9;
        let step = self.panel.len() / POSITIONS;
        for at in (0..len).step_by(CHUNK) {
            let mut g = [[0.0f32; CHUNK]; 9];
            for (tap, g) in g.iter_mut().enumerate() {
                g.copy_from_slice(&self.filters[tap * len + at..][..CHUNK]);
            }
            let mut u = [[0.0f32; CHUNK]; POSITIONS];
            for l in 0..CHUNK {
                // Columns, then rows, of [1 0 0; 1/2 1/2 1/2; 1/2 -1/2 1/2; 0 0 1].
                let mut t = [0.0; 12];
                for j in 0..3 {
                    let [a, b, c] = [g[j][l], g[3 + j][l], g[6 + j][l]];
                    let (sum, b) = (0.5 * (a + c), 0.5 * b);
                    [t[j], t[3 + j], t[6 + j], t[9 + j]] = [a, sum + b, sum - b, c];
                }
                for i in 0..4 {
                    let [a, b, c] = [t[3 * i], t[3 * i + 1], t[3 * i + 2]];
                    let (sum, b) = (0.5 * (a + c), 0.5 * b);
                    [u[4 * i][l], u[4 * i + 1][l], u[4 * i + 2][l], u[4 * i + 3][l]] = [a, sum + b, sum - b, c];
                }
            }
            for (position, u) in u.iter().enumerate() {
                self.panel[position * step + self.start + at..][..CHUNK].copy_from_slice(u);
            }
        }
    }
}
