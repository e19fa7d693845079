//! Sums over the rows or the columns of a matrix, and the moments of its columns for batch norm.
//! Rows are cut into parts that depend on the shape alone; partial results are merged in order.

use super::Workspace;
use super::simd::{Vectorize, madd};
use super::workspace::Aligned;
use rayon::prelude::*;
use std::ops::Range;

/// Columns summed in registers.
const LANES: usize = 64;
/// Most parts that rows are cut into, and fewest floats of one.
const MOST_PARTS: usize = 64;
const LEAST: usize = 1 << 14;
/// Floats of the blocks that are read twice while they are in the first-level cache.
const BLOCK: usize = 1 << 13;

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
        level.vectorize(Moments { x: &x[rows.start * cols..rows.end * cols], cols, mean, m2 });
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

/// `sum[c] = sum over rows of x[row][c]`.
pub fn column_sums(workspace: &mut Workspace, x: &[f32], cols: usize, sum: &mut [f32]) {
    assert_eq!(sum.len(), cols);
    let level = workspace.level();
    let rows = x.len().checked_div(cols).unwrap_or(0);
    let parts = by_parts(&mut workspace.partials, rows, cols, 1, |rows, sums| {
        level.vectorize(Sums { x: &x[rows.start * cols..rows.end * cols], cols, sum: sums });
    });
    add_parts(workspace.partials.get(), parts, sum);
}

/// `sum[c] = sum over rows of a[row][c]` and `dot[c] = sum over rows of a[row][c] * (b[row][c] - shift[c])`: what the gradient
/// of batch norm needs of `dy`, `x` and its mean.
pub fn column_dots(
    workspace: &mut Workspace,
    (a, b): (&[f32], &[f32]),
    shift: &[f32],
    sum: &mut [f32],
    dot: &mut [f32],
) {
    let cols = shift.len();
    assert!(a.len() == b.len() && sum.len() == cols && dot.len() == cols);
    let level = workspace.level();
    let rows = a.len().checked_div(cols).unwrap_or(0);
    let parts = by_parts(&mut workspace.partials, rows, cols, 2, |rows, sums| {
        let range = rows.start * cols..rows.end * cols;
        let (sum, dot) = sums.split_at_mut(cols);
        level.vectorize(Dots { a: &a[range.clone()], b: &b[range], shift, sum, dot });
    });
    let partials = workspace.partials.get();
    sum.fill(0.0);
    dot.fill(0.0);
    for part in partials.chunks_exact(2 * cols.max(1)).take(parts) {
        sum.iter_mut().zip(&part[..cols]).for_each(|(s, p)| *s += p);
        dot.iter_mut().zip(&part[cols..]).for_each(|(d, p)| *d += p);
    }
}

/// `sum[r] = sum of row r`.
pub fn row_sums(workspace: &mut Workspace, x: &[f32], cols: usize, sum: &mut [f32]) {
    assert_eq!(x.len(), sum.len() * cols);
    let level = workspace.level();
    let rows = (LEAST / cols.max(1)).max(1);
    sum.par_chunks_mut(rows).enumerate().for_each(|(i, sum)| {
        level.vectorize(RowSums { x: &x[i * rows * cols..][..sum.len() * cols], cols, sum });
    });
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

fn add_parts(partials: &[f32], parts: usize, sum: &mut [f32]) {
    sum.fill(0.0);
    for part in partials.chunks_exact(sum.len().max(1)).take(parts) {
        sum.iter_mut().zip(part).for_each(|(s, p)| *s += p);
    }
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

struct Moments<'a> {
    x: &'a [f32],
    cols: usize,
    mean: &'a mut [f32],
    m2: &'a mut [f32],
}

impl Vectorize for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let rows = (BLOCK / self.cols).max(2);
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

struct Sums<'a> {
    x: &'a [f32],
    cols: usize,
    sum: &'a mut [f32],
}

impl Vectorize for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for c in (0..self.cols).step_by(LANES) {
            let len = LANES.min(self.cols - c);
            let mut sum = [0.0; LANES];
            for row in self.x.chunks_exact(self.cols) {
                add::<FMA>(&row[c..c + len], &mut sum, |_, x| (x, 0.0), &mut [0.0; LANES]);
            }
            self.sum[c..c + len].copy_from_slice(&sum[..len]);
        }
    }
}

struct Dots<'a> {
    a: &'a [f32],
    b: &'a [f32],
    shift: &'a [f32],
    sum: &'a mut [f32],
    dot: &'a mut [f32],
}

impl Vectorize for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let cols = self.shift.len();
        for c in (0..cols).step_by(LANES) {
            let len = LANES.min(cols - c);
            let (mut sum, mut dot, mut shift) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
            shift[..len].copy_from_slice(&self.shift[c..c + len]);
            for (a, b) in self.a.chunks_exact(cols).zip(self.b.chunks_exact(cols)) {
                let b = &b[c..c + len];
                add::<FMA>(&a[c..c + len], &mut sum, |i, a| (a, b[i] - shift[i]), &mut dot);
            }
            self.sum[c..c + len].copy_from_slice(&sum[..len]);
            self.dot[c..c + len].copy_from_slice(&dot[..len]);
        }
    }
}

struct RowSums<'a> {
    x: &'a [f32],
    cols: usize,
    sum: &'a mut [f32],
}

impl Vectorize for RowSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (r, sum) in self.sum.iter_mut().enumerate() {
            let row = &self.x[r * self.cols..(r + 1) * self.cols];
            let mut lanes = [0.0f32; 16];
            let chunks = row.chunks_exact(16);
            let rest: f32 = chunks.remainder().iter().sum();
            for chunk in chunks {
                lanes.iter_mut().zip(chunk).for_each(|(l, x)| *l += x);
            }
            *sum = lanes.iter().sum::<f32>() + rest;
        }
    }
}
