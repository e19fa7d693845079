//! Mean and biased variance of the columns or rows of a matrix, in one pass over memory.
//! Blocks of rows stay in cache while their own mean and squared deviations are taken; Chan's formula joins them.

use super::memory::Region;
use super::prepare::Operands;
use super::{Action, Builder, Context, for_each};
use crate::kernels::{Level, Vectorize};
use chiaro_graph::MomentsAxis;

/// Floats of a block: it should stay in the first-level cache for its second pass.
const BLOCK: usize = 4096;
/// Columns that one task treats at once.
const WIDTH: usize = 512;
/// Rows of a task at the least, and parts at the most.
const LEAST: usize = 256;
const PARTS: usize = 32;

/// Moments of `[rows, columns]`.
pub(crate) struct Moments {
    axis: MomentsAxis,
    rows: usize,
    columns: usize,
    x: Region,
    out: Region,
    parts: usize,
    /// Mean and sum of squared deviations of each part, `[part][2][columns]` in 64 bits.
    partials: Region,
}

impl Moments {
    pub fn new(axis: MomentsAxis, rows: usize, columns: usize, o: &mut Operands<'_>, out: Region) -> Moments {
        let parts = (rows / LEAST).clamp(1, PARTS);
        let x = o.input(0);
        let builder: &mut Builder = o.builder;
        let partials = builder.allocate(if axis == MomentsAxis::Rows { 16 * parts * columns } else { 0 });
        Moments { axis, rows, columns, x, out, parts, partials }
    }

    /// Columns `from..from + width` of one part of the rows.
    #[inline(always)]
    fn down(&self, part: usize, from: usize, width: usize) {
        let rows = self.rows * part / self.parts..self.rows * (part + 1) / self.parts;
        let (mut mean, mut rest, mut sum) = ([0.0f32; WIDTH], [0.0f32; WIDTH], [0.0f32; WIDTH]);
        let (mean, rest, sum) = (&mut mean[..width], &mut rest[..width], &mut sum[..width]);
        let row = |r: usize| self.x.floats(r * self.columns + from, width);
        let at = part * 2 * self.columns + from;
        let means = self.partials.doubles_mut(at, width);
        let squares = self.partials.doubles_mut(at + self.columns, width);
        means.fill(0.0);
        squares.fill(0.0);
        let step = (BLOCK / width).max(4);
        for start in rows.clone().step_by(step) {
            let count = step.min(rows.end - start);
            mean.fill(0.0);
            for r in start..start + count {
                mean.iter_mut().zip(row(r)).for_each(|(m, v)| *m += v);
            }
            mean.iter_mut().for_each(|m| *m /= count as f32);
            rest.fill(0.0);
            sum.fill(0.0);
            for r in start..start + count {
                for (((s, e), v), m) in sum.iter_mut().zip(&mut *rest).zip(row(r)).zip(&*mean) {
                    let d = v - m;
                    *e += d;
                    *s += d * d;
                }
            }
            // The block's mean was rounded with every addition: the sum of what is left corrects it.
            let (before, n) = ((start - rows.start) as f64, count as f64);
            let (share, cross) = (n / (before + n), before * n / (before + n));
            let block = mean.iter().zip(&*rest).zip(&*sum);
            for ((m, s), ((&near, &rest), &sum)) in means.iter_mut().zip(&mut *squares).zip(block) {
                let rest = f64::from(rest) / n;
                let delta = f64::from(near) + rest - *m;
                *m += delta * share;
                *s += f64::from(sum) - rest * rest * n + delta * delta * cross;
            }
        }
    }

    /// Joins the parts in order.
    fn join(&self) {
        let (c, rows) = (self.columns, self.rows as f64);
        for_each(c, 4 * self.parts, |i| {
            let (mut n, mut mean, mut square) = (0.0, 0.0, 0.0);
            for part in 0..self.parts {
                let count = (self.rows * (part + 1) / self.parts - self.rows * part / self.parts) as f64;
                let at = part * 2 * c + i;
                let delta = self.partials.doubles(at, 1)[0] - mean;
                square += self.partials.doubles(at + c, 1)[0] + delta * delta * n * count / (n + count);
                n += count;
                mean += delta * count / n;
            }
            self.out.floats_mut(i, 1)[0] = mean as f32;
            self.out.floats_mut(c + i, 1)[0] = (square / rows) as f32;
        });
    }

    /// Moments of one row: 64-bit sums over 32-bit lanes.
    #[inline(always)]
    fn across(&self, r: usize) {
        let n = self.columns;
        let row = self.x.floats(r * n, n);
        let mean = wide_sum(row, f64::from) / n as f64;
        let square = wide_sum(row, |v| (f64::from(v) - mean) * (f64::from(v) - mean)) / n as f64;
        self.out.floats_mut(r, 1)[0] = mean as f32;
        self.out.floats_mut(self.rows + r, 1)[0] = square as f32;
    }
}

#[inline(always)]
fn wide_sum(row: &[f32], f: impl Fn(f32) -> f64) -> f64 {
    const WIDE: usize = 16;
    let mut lanes = [0.0; WIDE];
    let chunks = row.chunks_exact(WIDE);
    let rest: f64 = chunks.remainder().iter().map(|&v| f(v)).sum();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(l, &v)| *l += f(v));
    }
    lanes.iter().sum::<f64>() + rest
}

/// One task: a part and range of columns, or a row.
struct Task<'a> {
    moments: &'a Moments,
    i: usize,
}

impl Vectorize for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let m = self.moments;
        match m.axis {
            MomentsAxis::Columns => m.across(self.i),
            MomentsAxis::Rows => {
                let from = self.i / m.parts * WIDTH;
                m.down(self.i % m.parts, from, WIDTH.min(m.columns - from));
            }
        }
    }
}

impl Action for Moments {
    fn run(&mut self, context: &mut Context<'_>) {
        let this = &*self;
        let level: Level = context.level;
        let (tasks, work) = match this.axis {
            MomentsAxis::Columns => (this.rows, 4 * this.columns),
            MomentsAxis::Rows => {
                (this.parts * this.columns.div_ceil(WIDTH), this.rows / this.parts * this.columns.min(WIDTH))
            }
        };
        for_each(tasks, work, |i| level.vectorize(Task { moments: this, i }));
        if this.axis == MomentsAxis::Rows {
            this.join();
        }
    }
}
