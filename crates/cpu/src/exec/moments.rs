//! Mean and biased variance of the columns or rows of a matrix.

use super::operands::Operands;
use super::{Action, ExecContext, for_each};
use crate::kernels::{Vectorize, column_moments};
use crate::raw::memory::MemoryRegion;
use chiaro_graph::MomentsAxis;

/// Moments of `[rows, columns]`.
pub(crate) struct Moments {
    axis: MomentsAxis,
    rows: usize,
    columns: usize,
    x: MemoryRegion,
    out: MemoryRegion,
}

impl Moments {
    pub fn new(axis: MomentsAxis, rows: usize, columns: usize, o: &mut Operands<'_>, out: MemoryRegion) -> Moments {
        Moments { axis, rows, columns, x: o.input(0), out }
    }

    fn down(&self, context: &mut ExecContext<'_>) {
        let (mean, variance) = self.out.floats_mut(0, 2 * self.columns).split_at_mut(self.columns);
        column_moments(context.workspace, self.x.all(), self.columns, mean, variance);
        variance.iter_mut().for_each(|v| *v /= self.rows as f32);
    }
}

/// One row: 64-bit sums over 32-bit elements.
struct Row<'a> {
    moments: &'a Moments,
    row: usize,
}

impl Vectorize for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Moments { rows, columns: n, x, out, .. } = *self.moments;
        let row = x.floats(self.row * n, n);
        let mean = wide_sum(row, f64::from) / n as f64;
        let square = wide_sum(row, |v| (f64::from(v) - mean) * (f64::from(v) - mean)) / n as f64;
        out.floats_mut(self.row, 1)[0] = mean as f32;
        out.floats_mut(rows + self.row, 1)[0] = square as f32;
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

impl Action for Moments {
    fn run(&mut self, context: &mut ExecContext<'_>) {
        if self.axis == MomentsAxis::Rows {
            return self.down(context);
        }
        let (this, level) = (&*self, context.level);
        for_each(this.rows, 4 * this.columns, |row| level.vectorize(Row { moments: this, row }));
    }
}
