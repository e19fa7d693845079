//! Convolution as a GEMM over gathered rows: no im2col matrix, each tile of output pixels has one row pointer a filter tap.
//! The input gradient is the same with transposed weights, in one phase per residue of the stride.

use super::depthwise;
use super::pack::PackedWeights;
use super::padding::padded_input;
use super::phase::Phase;
use crate::kernels::workspace::{ScratchArena, scratch};
use crate::kernels::{EPILOGUE, Epilogue, NoEpilogue, Workspace, finish, finish_all, row_tiles};
use crate::raw::simd::{PAD, Panel, Rows, TilePlace};
use crate::raw::tile::{Output, Splits};

/// Images up to this many output pixels are walked pixel by pixel with the batch innermost, so that a tile's rows agree
/// about which taps fall into the padding, and those are left out.
const PIXEL_MAJOR: usize = 256; // measured: benches/kernels.rs
/// Bytes of packed weights that one task walks again and again: they should stay in L2 beside the activations.
const PANEL_BYTES: usize = 1 << 20; // measured: benches/kernels.rs

/// Whether the batch is walked innermost.
fn is_pixel_major(phase: &Phase, batch: usize) -> bool {
    phase.taps.len() > 1 && phase.grid[0] * phase.grid[1] <= PIXEL_MAJOR && batch >= 8
}

/// The input side of a gather: where the rows of a tile lie.
pub(crate) struct Gathered<'a> {
    phase: &'a Phase,
    batch: usize,
    size: [usize; 2],
    channels: usize,
    pixel_major: bool,
    /// Grid positions, before the stride, whose taps all hit the image: first and last + 1 of each axis.
    inner: [[isize; 2]; 2],
}

impl<'a> Gathered<'a> {
    fn new(phase: &'a Phase, batch: usize, size: [usize; 2], channels: usize) -> Self {
        let inner = [0, 1].map(|i| {
            let least = phase.taps.iter().map(|t| t[i]).min().unwrap_or(0);
            let most = phase.taps.iter().map(|t| t[i]).max().unwrap_or(0);
            [-least, size[i] as isize - most]
        });
        Self { phase, batch, size, channels, pixel_major: is_pixel_major(phase, batch), inner }
    }

    /// Taps of the phase.
    pub(crate) fn taps(&self) -> usize {
        self.phase.taps.len()
    }

    /// Splits a row number into image, grid row and grid column.
    fn position(&self, row: usize) -> [usize; 3] {
        let [height, width] = self.phase.grid;
        if self.pixel_major {
            let (pixel, image) = (row / self.batch, row % self.batch);
            [image, pixel / width, pixel % width]
        } else {
            let (line, x) = (row / width, row % width);
            [line / height, line % height, x]
        }
    }

    fn advance(&self, [n, y, x]: [usize; 3]) -> [usize; 3] {
        let [height, width] = self.phase.grid;
        if self.pixel_major && n + 1 < self.batch {
            [n + 1, y, x]
        } else {
            let n = if self.pixel_major { 0 } else { n };
            match (x + 1 < width, y + 1 < height) {
                (true, _) => [n, y, x + 1],
                (false, true) => [n, y + 1, 0],
                (false, false) => [n + 1, 0, 0],
            }
        }
    }

    /// Whether rows from a position on lie in one line, and all their taps in the image.
    fn inner_run(&self, [_, y, x]: [usize; 3], rows: usize) -> bool {
        let [ys, xs] = &self.inner;
        let last = x + rows.max(1) - 1;
        let at = |axis: usize, o: usize| (o * self.phase.stride[axis]) as isize;
        !self.pixel_major
            && last < self.phase.grid[1]
            && (ys[0]..ys[1]).contains(&at(0, y))
            && (xs[0]..xs[1]).contains(&at(1, x))
            && (xs[0]..xs[1]).contains(&at(1, last))
    }

    /// Writes the offsets of `rows` rows, tap by tap, and the taps that any of them uses; returns how many taps those are.
    pub(crate) fn gather(&self, row: usize, rows: usize, offsets: &mut [u32], used: &mut [u32]) -> usize {
        let taps = &self.phase.taps;
        let [height, width] = self.size.map(|s| s as isize);
        let channels = self.channels as isize;
        let mut at = self.position(row);
        if self.inner_run(at, rows) {
            let [n, y, x] = at;
            let (y, x) = ((y * self.phase.stride[0]) as isize, (x * self.phase.stride[1]) as isize);
            let step = self.phase.stride[1] * self.channels;
            for (t, (tap, line)) in taps.iter().zip(offsets.chunks_exact_mut(rows)).enumerate() {
                let base = ((n as isize * height + y + tap[0]) * width + x + tap[1]) * channels;
                line.iter_mut().enumerate().for_each(|(r, offset)| *offset = base as u32 + (r * step) as u32);
                used[t] = t as u32;
            }
            return taps.len();
        }
        let mut any_inner = false;
        for r in 0..rows {
            let [n, y, x] = at;
            let y = (y * self.phase.stride[0]) as isize;
            let x = (x * self.phase.stride[1]) as isize;
            let image = n as isize * height;
            let [ys, xs] = self.inner;
            let inner = ys[0] <= y && y < ys[1] && xs[0] <= x && x < xs[1];
            any_inner |= inner;
            if inner {
                let base = ((image + y) * width + x) * channels;
                for (t, tap) in taps.iter().enumerate() {
                    let delta = (tap[0] * width + tap[1]) * channels;
                    offsets[t * rows + r] = (base + delta) as u32;
                }
            } else {
                for (t, tap) in taps.iter().enumerate() {
                    let (y, x) = (y + tap[0], x + tap[1]);
                    let hit = (0..height).contains(&y) && (0..width).contains(&x);
                    let offset = ((image + y) * width + x) * channels;
                    offsets[t * rows + r] = if hit { offset as u32 } else { PAD };
                }
            }
            at = self.advance(at);
        }
        let mut count = 0;
        for t in 0..taps.len() {
            let from = t * rows;
            if any_inner || offsets[from..from + rows].iter().any(|&o| o != PAD) {
                offsets.copy_within(from..from + rows, count * rows);
                used[count] = t as u32;
                count += 1;
            }
        }
        count
    }
}

/// Runs every phase of packed weights over `input`.
pub(crate) fn run<E: Epilogue + ?Sized>(
    workspace: &mut Workspace,
    weights: &PackedWeights,
    input: &[f32],
    output: &mut [f32],
    epilogue: &E,
) {
    let geometry = weights.geometry();
    assert_eq!(output.len(), geometry.output_len());
    workspace.prepare(geometry.kc);
    let mut buffer = std::mem::take(&mut workspace.padded);
    let input = if weights.is_merged() {
        assert_eq!(input.len(), weights.shape().input_len());
        padded_input(weights.shape(), input, &mut buffer).0
    } else {
        input
    };
    assert_eq!(input.len(), geometry.input_len());
    assert!(input.len() < PAD as usize);
    // Rows that do not follow one another would get a run of the epilogue each.
    let after =
        weights.phases().len() > 1 || weights.phases().iter().any(|phase| is_pixel_major(phase, geometry.batch));
    for (i, phase) in weights.phases().iter().enumerate() {
        let source = Gathered::new(phase, geometry.batch, geometry.input, geometry.in_channels);
        let [height, width] = phase.grid;
        let line = geometry.output[1] * geometry.out_channels;
        let start = phase.start[0] * line + phase.start[1] * geometry.out_channels;
        let image = geometry.output[0] * line;
        let [dy, dx] = [phase.step[0] * line, phase.step[1] * geometry.out_channels];
        let (extents, strides) = if source.pixel_major {
            ([height, width, geometry.batch], [dy, dx, image])
        } else {
            ([geometry.batch, height, width], [image, dy, dx])
        };
        let view = Output::new(output, start, extents, strides, geometry.out_channels);
        match (weights.is_depthwise(), after) {
            (true, true) => depthwise::run_phase(workspace, weights, i, &source, input, view, &NoEpilogue),
            (true, false) => depthwise::run_phase(workspace, weights, i, &source, input, view, epilogue),
            (false, true) => run_phase(workspace, weights, i, &source, input, view, &NoEpilogue),
            (false, false) => run_phase(workspace, weights, i, &source, input, view, epilogue),
        }
    }
    if after && !epilogue.is_noop() {
        finish_all(output, geometry.out_channels, epilogue);
    }
    workspace.padded = buffer;
}

fn run_phase<E: Epilogue + ?Sized>(
    workspace: &Workspace,
    weights: &PackedWeights,
    phase: usize,
    source: &Gathered,
    input: &[f32],
    mut output: Output,
    epilogue: &E,
) {
    let kernels = workspace.kernels();
    let geometry = weights.geometry();
    let taps = source.phase.taps.len();
    let bytes = taps * geometry.kc * geometry.out_channels * size_of::<f32>();
    let col_parts = if geometry.groups == 1 { bytes.div_ceil(PANEL_BYTES) } else { 1 };
    let cols = Splits::new(geometry.out_channels, kernels.nr(), col_parts);
    let row_parts = (4 * rayon::current_num_threads()).div_ceil(cols.parts);
    let rows = Splits::new(output.rows(), kernels.mr(), row_parts);
    let ending = epilogue.columns();
    output.for_each(&rows, &cols, |mut tile| {
        let mut arena = workspace.arena();
        let ScratchArena { offsets, taps: used, .. } = &mut *arena;
        let used = scratch(used, taps);
        let cols = tile.col_range();
        let mut finished = tile.row_range().start;
        for (row, mr) in row_tiles(tile.row_range(), kernels.mr()) {
            let offsets = scratch(offsets, taps * mr);
            let count = source.gather(row, mr, offsets, used);
            for group in 0..geometry.groups {
                let a = Rows::new(
                    &input[(group * geometry.kc).min(input.len())..],
                    workspace.zeros(),
                    &offsets[..count * mr],
                    &used[..count],
                    geometry.kc,
                );
                for panel in weights.panels(phase, group, cols.clone()) {
                    let place = TilePlace { row, rows: mr, col: panel.col, cols: panel.cols };
                    let b = Panel { b: panel.data, step: panel.step };
                    kernels.rows(&a, b, &mut tile, place, ending.as_ref());
                }
            }
            let ready = row + mr - finished;
            if ending.is_none() && (ready * cols.len() >= EPILOGUE || row + mr == tile.row_range().end) {
                finish(&mut tile, finished, ready, geometry.out_channels, epilogue);
                finished = row + mr;
            }
        }
    });
}
