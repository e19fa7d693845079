//! The moments of a matrix's columns for batch norm.
//! Rows are cut into parts that depend on the shape alone; partial results are merged in order.

use super::Workspace;
use super::workspace::Aligned;
use crate::raw::simd::{Vectorize, madd};
use rayon::prelude::*;
use std::ops::Range;

/// Columns summed in registers.
const LANES: usize = 64;
/// Most parts that rows are cut into, and fewest floats of one.
const MOST_PARTS: usize = 64;
const LEAST: usize = 1 << 14;
/// Floats of the blocks that are read twice while they are in the first-level cache.
const BLOCK: usize = 1 << 13;
/// Rows of a block at the most: values that come again are rounded the same way at each addition, and 1024 of them in a row
/// lost 1.5e-5 of a variance.
const MOST_ROWS: usize = 256;

/// Mean and sum of squared deviations of each column of `x`, `[rows, cols]`, read once from memory.
///
/// Blocks in cache are centred on their own mean and merged by Chan's formula (Chan, Golub, LeVeque 1983), so that a mean
/// far larger than the spread costs no digits. The biased variance is `m2 / rows`.
pub fn column_moments(workspace: &mut Workspace, x: &[f32], cols: usize, mean: &mut [f32], m2: &mut [f32]) {
    assert!(mean.len() == cols && m2.len() == cols);
    let level = workspace.level();
    let rows = x.len().checked_div(cols).unwrap_or(0);
    let counts = by_parts(&mut workspace.partials, rows, cols, 2, |rows, sums| {
        let (mean, m2) = sums.split_at_mut(cols);
        level.vectorize(ColumnMoments { x: &x[rows.start * cols..rows.end * cols], cols, mean, m2 });
    });
    mean.fill(0.0);
    m2.fill(0.0);
    let mut seen = 0;
    for (part, sums) in workspace.partials.get().chunks_exact(2 * cols.max(1)).take(counts).enumerate() {
        let count = part_rows(rows, counts, part).len();
        merge(seen, count, &sums[..cols], &sums[cols..], mean, m2);
        seen += count;
    }
}

fn part_rows(rows: usize, parts: usize, part: usize) -> Range<usize> {
    rows * part / parts..rows * (part + 1) / parts
}

/// Runs `task` over parts of the rows, each with its own zeroed `width * cols` partial results; returns the number of parts.
fn by_parts(
    partials: &mut Aligned,
    rows: usize,
    cols: usize,
    width: usize,
    task: impl Fn(Range<usize>, &mut [f32]) + Sync,
) -> usize {
    let parts = (rows * cols / LEAST).clamp(1, MOST_PARTS).min(rows.max(1));
    let buffer = partials.grow(parts * width * cols);
    buffer.fill(0.0);
    if cols > 0 {
        buffer
            .par_chunks_mut(width * cols)
            .with_max_len(1)
            .enumerate()
            .for_each(|(part, sums)| task(part_rows(rows, parts, part), sums));
    }
    parts
}

/// Chan's formula: joins `count` rows to `seen` rows.
#[inline(always)]
fn merge(seen: usize, count: usize, block_mean: &[f32], block_m2: &[f32], mean: &mut [f32], m2: &mut [f32]) {
    let total = (seen + count).max(1) as f64;
    let (share, weight) = (count as f64 / total, seen as f64 * count as f64 / total);
    let (share, weight) = (share as f32, weight as f32);
    for (((mean, m2), &bm), &b2) in mean.iter_mut().zip(m2).zip(block_mean).zip(block_m2) {
        let delta = bm - *mean;
        *mean = if seen == 0 { bm } else { *mean + delta * share };
        *m2 += b2 + delta * delta * weight;
    }
}

struct ColumnMoments<'a> {
    x: &'a [f32],
    cols: usize,
    mean: &'a mut [f32],
    m2: &'a mut [f32],
}

impl Vectorize for ColumnMoments<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        if self.cols < LANES && LANES.is_multiple_of(self.cols) {
            return self.run_narrow::<FMA>();
        }
        let rows = (BLOCK / self.cols).clamp(2, MOST_ROWS);
        for (i, block) in self.x.chunks(rows * self.cols).enumerate() {
            let count = block.len() / self.cols;
            for c in (0..self.cols).step_by(LANES) {
                let len = LANES.min(self.cols - c);
                let (mut mean, mut rest, mut m2) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
                for row in block.chunks_exact(self.cols) {
                    add::<FMA>(&row[c..c + len], &mut mean, |_, x| (x, 0.0), &mut [0.0; LANES]);
                }
                mean.iter_mut().for_each(|m| *m /= count as f32);
                for row in block.chunks_exact(self.cols) {
                    add::<FMA>(&row[c..c + len], &mut rest, |i, x| (x - mean[i], x - mean[i]), &mut m2);
                }
                // The mean was rounded: the deviations from it still have a small sum.
                for i in 0..len {
                    let error = rest[i] / count as f32;
                    mean[i] += error;
                    m2[i] -= error * rest[i];
                }
                let (total_mean, total_m2) = (&mut self.mean[c..c + len], &mut self.m2[c..c + len]);
                merge(i * rows, count, &mean[..len], &m2[..len], total_mean, total_m2);
            }
        }
    }
}

impl ColumnMoments<'_> {
    /// Several rows side by side fill the lanes; their sums are put together once a block.
    #[inline(always)]
    fn run_narrow<const FMA: bool>(self) {
        let cols = self.cols;
        let fold = |lanes: &[f32; LANES]| {
            let mut folded = [0.0; LANES];
            lanes.chunks_exact(cols).for_each(|l| folded[..cols].iter_mut().zip(l).for_each(|(f, l)| *f += l));
            folded
        };
        for (i, block) in self.x.chunks(BLOCK).enumerate() {
            let count = (block.len() / cols) as f32;
            let wide = block.chunks_exact(LANES);
            let last = wide.remainder();
            let (mut mean, mut rest, mut m2) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
            for row in wide.clone().chain([last]) {
                add::<FMA>(row, &mut mean, |_, x| (x, 0.0), &mut [0.0; LANES]);
            }
            let folded = fold(&mean);
            mean.iter_mut().enumerate().for_each(|(lane, m)| *m = folded[lane % cols] / count);
            for row in wide.chain([last]) {
                add::<FMA>(row, &mut rest, |i, x| (x - mean[i], x - mean[i]), &mut m2);
            }
            // The mean was rounded: the deviations from it still have a small sum.
            let (rest, mut m2) = (fold(&rest), fold(&m2));
            for c in 0..cols {
                let error = rest[c] / count;
                mean[c] += error;
                m2[c] -= error * rest[c];
            }
            merge(i * BLOCK / cols, count as usize, &mean[..cols], &m2[..cols], self.mean, self.m2);
        }
    }
}

/// `sum[i] += value, squares[i] += value * factor` with `(value, factor) = f(i, row[i])`.
#[inline(always)]
fn add<const FMA: bool>(
    row: &[f32],
    sum: &mut [f32; LANES],
    f: impl Fn(usize, f32) -> (f32, f32),
    squares: &mut [f32; LANES],
) {
    let mut one = |i: usize, x: f32| {
        let (value, factor) = f(i, x);
        sum[i] += value;
        squares[i] = madd::<FMA>(value, factor, squares[i]);
    };
    // A fixed number of columns stays in registers.
    if let Ok(row) = <&[f32; LANES]>::try_from(row) {
        for (i, x) in row.iter().enumerate() {
            one(i, *x);
        }
    } else {
        for (i, x) in row.iter().enumerate() {
            one(i, *x);
        }
    }
}
