//! Fast f32 kernels of the CPU backend: plain slices in, plain slices out, channels last, parallel on the current rayon pool.
//!
//! # How to call them
//!
//! - Make one [`Workspace`] when a plan is compiled. It detects the instruction set and keeps all scratch memory, so that no
//!   kernel allocates after its first call with a shape.
//! - Convolution: describe it with [`ConvExtents`]. [`PackedWeights::pack_forward`] and [`PackedWeights::pack_input_gradient`]
//!   bring weights into the layout of the micro-kernels (call them again whenever the weights have changed; the buffer is
//!   reused), then [`conv2d`] and [`conv2d_input_gradient`] run; [`conv2d_weight_gradient`] needs no packing. Depthwise,
//!   few-channel and Winograd variants are chosen inside.
//! - [`matmul`] takes operands in any transposition, batched with strides; [`MatmulShape`] describes it. A dense layer is
//!   `matmul` with `b_transposed`, its input gradient plain, its weight gradient `a_transposed`. Weights that stay the same from
//!   call to call are packed once, in a [`PackedMatrix`].
//! - An [`Epilogue`] is applied to each block of the output right after its last write, while it is in cache: bias,
//!   activation, residual. [`NoEpilogue`] costs nothing.
//! - Pooling, batch-norm statistics and row or column sums are free functions that take the [`Workspace`] too.
//! - [`Level::vectorize`] compiles any plain loop nest for the instruction set at hand; pointwise code should use it.
//!
//! Outputs do not depend on the number of threads, bit for bit. Lengths that do not fit the shape panic: the plan's executor
//! guarantees them, a user cannot cause them.

pub mod conv;
mod matmul;
mod max_pool;
mod packed_matrix;
mod pool;
mod reduce;
mod transpose;
mod workspace;

pub use crate::raw::simd::{Level, Vectorize, madd};
pub use conv::{ConvExtents, PackedWeights, conv2d, conv2d_input_gradient, conv2d_weight_gradient};
pub use matmul::{MatmulShape, RightOperand, matmul};
pub use max_pool::{max_pool2d, max_pool2d_gradient};
pub use packed_matrix::PackedMatrix;
pub use pool::{PoolExtents, avg_pool2d, avg_pool2d_gradient};
pub use reduce::column_moments;
pub use workspace::Workspace;

use crate::raw::tile::OutputTile;
use rayon::prelude::*;

/// What happens to a block of the output after its last write: bias, activation, residual.
///
/// Called once for every element, from any thread. Must not call into rayon.
pub trait Epilogue: Sync {
    /// Changes `rows` rows of `cols` floats in place; they stand at `tile[r * row_stride..][..cols]` and are the output's rows
    /// `row_start..` (pixels, for images) and columns `col_start..` (channels).
    fn apply(&self, row_start: usize, rows: usize, col_start: usize, cols: usize, tile: &mut [f32], row_stride: usize);

    /// The whole of it, where it is the same for all rows: kernels that can then do it to registers, and do not call `apply`.
    fn columns(&self) -> Option<ColumnEnding<'_>> {
        None
    }

    /// Whether `apply` does nothing and need not be called.
    fn is_noop(&self) -> bool {
        false
    }
}

/// `y = x * scale[column] + shift[column]` within bounds, which may be infinite.
#[derive(Clone, Copy, Debug)]
pub struct ColumnEnding<'a> {
    /// A factor for each column of the output.
    pub scale: &'a [f32],
    /// A summand for each.
    pub shift: &'a [f32],
    /// Least and largest result; NaN stays.
    pub bounds: [f32; 2],
}

/// Leaves the output as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEpilogue;

impl Epilogue for NoEpilogue {
    #[inline]
    fn apply(&self, _: usize, _: usize, _: usize, _: usize, _: &mut [f32], _: usize) {}

    #[inline]
    fn is_noop(&self) -> bool {
        true
    }
}

/// Applies `epilogue` to `rows` rows of a tile whose output has `width` floats a row.
fn finish<E: Epilogue + ?Sized>(tile: &mut OutputTile, row: usize, rows: usize, width: usize, epilogue: &E) {
    if epilogue.is_noop() {
        return;
    }
    let cols = tile.col_range();
    let start = tile.row_offset(row) / width;
    if let Some(dense) = tile.dense_rows(row, rows) {
        epilogue.apply(start, rows, cols.start, cols.len(), dense, width);
        return;
    }
    for r in row..row + rows {
        let start = tile.row_offset(r) / width;
        let values = tile.row(r);
        epilogue.apply(start, 1, cols.start, cols.len(), values, width);
    }
}

/// Floats that an epilogue gets at a time, where that is possible: a run of it has a cost of its own.
const EPILOGUE: usize = 2048; // two tiles of the executor, not measured

/// Applies `epilogue` to a whole output of `width` floats a row.
fn finish_all<E: Epilogue + ?Sized>(output: &mut [f32], width: usize, epilogue: &E) {
    let rows = (4 * EPILOGUE / width.max(1)).max(1);
    output.par_chunks_mut((rows * width).max(1)).enumerate().for_each(|(i, chunk)| {
        epilogue.apply(i * rows, chunk.len() / width, 0, width, chunk, width);
    });
}

/// Cuts `range` into tiles of at most `most` rows whose sizes differ by at most one.
pub(crate) fn row_tiles(range: std::ops::Range<usize>, most: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    let count = range.len().div_ceil(most);
    (0..count).map(move |i| {
        let border = |i: usize| range.start + range.len() * i / count;
        (border(i), border(i + 1) - border(i))
    })
}
