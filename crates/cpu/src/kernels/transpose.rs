//! Rows copied, and columns made of rows, in the order in which micro-kernels read them.

use crate::raw::lanes::{SQUARE, transpose4, transpose16};
use crate::raw::simd::Level;
use std::ops::Range;

/// `panel[k][j] = weights[j][range.start + k]` for `cols` rows of `depth` floats; columns behind `cols` become zeros.
pub(crate) fn transpose_rows(
    level: Level,
    weights: &[f32],
    depth: usize,
    range: Range<usize>,
    cols: usize,
    panel: &mut [f32],
) {
    let step = panel.len() / range.len();
    let squares = if level == Level::Avx512 { cols / SQUARE * SQUARE } else { 0 };
    for (k, rows) in range.clone().step_by(SQUARE).zip(panel.chunks_mut(SQUARE * step)) {
        let count = rows.len() / step;
        let mut done = 0;
        if count == SQUARE {
            while done < squares && transpose16(&weights[done * depth + k..], depth, &mut rows[done..], step) {
                done += SQUARE;
            }
        }
        transpose_block(weights, depth, k..k + count, done..cols, rows);
    }
}

/// The columns `cols` and what is behind them of [`transpose_rows`].
fn transpose_block(weights: &[f32], depth: usize, range: Range<usize>, cols: Range<usize>, panel: &mut [f32]) {
    const BLOCK: usize = 4;
    let step = panel.len() / range.len();
    let mut rows = panel.chunks_exact_mut(BLOCK * step);
    for (k, rows) in range.clone().step_by(BLOCK).zip(&mut rows) {
        let mut j = cols.start;
        while j + BLOCK <= cols.end {
            transpose4(&weights[j * depth + k..], depth, &mut rows[j..], step);
            j += BLOCK;
        }
        for (i, row) in rows.chunks_exact_mut(step).enumerate() {
            for (j, value) in row.iter_mut().enumerate().skip(j) {
                *value = if j < cols.end { weights[j * depth + k + i] } else { 0.0 };
            }
        }
    }
    let rest = rows.into_remainder();
    let first = range.end - rest.len() / step;
    for (i, row) in rest.chunks_exact_mut(step).enumerate() {
        for (j, value) in row.iter_mut().enumerate().skip(cols.start) {
            *value = if j < cols.end { weights[j * depth + first + i] } else { 0.0 };
        }
    }
}

/// Copies a row: a few moves for each 16 floats, where a call would cost more than a short row does.
#[inline(always)]
pub(crate) fn copy_row(from: &[f32], to: &mut [f32]) {
    let ((from, from_rest), (to, to_rest)) = (from.as_chunks::<16>(), to.as_chunks_mut::<16>());
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    to_rest.copy_from_slice(from_rest);
}
