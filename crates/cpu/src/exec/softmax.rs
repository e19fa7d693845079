//! Softmax and its logarithm along rows; the largest element is subtracted first.

use super::{Action, ExecContext, for_each};
use crate::raw::memory::MemoryRegion;

/// Softmax of `[rows, n]`.
pub(crate) struct Softmax {
    pub x: MemoryRegion,
    pub out: MemoryRegion,
    pub rows: usize,
    pub n: usize,
    pub log: bool,
}

/// Largest element and logarithm of the sum of exponentials of what is left when it is subtracted.
pub(crate) fn log_sum(row: &[f32]) -> (f32, f32) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, |a, b| if b > a || b.is_nan() { b } else { a });
    let sum: f64 = row.iter().map(|v| f64::from((v - largest).exp())).sum();
    (largest, sum.ln() as f32)
}

impl Action for Softmax {
    fn run(&mut self, _: &mut ExecContext<'_>) {
        let this = &*self;
        for_each(this.rows, 16 * this.n, |r| {
            let (row, out) = (this.x.floats(r * this.n, this.n), this.out.floats_mut(r * this.n, this.n));
            let (largest, log) = log_sum(row);
            let shifted = out.iter_mut().zip(row).map(|(o, v)| (o, (v - largest) - log));
            match this.log {
                true => shifted.for_each(|(o, v)| *o = v),
                false => shifted.for_each(|(o, v)| *o = v.exp()),
            }
        });
    }
}
