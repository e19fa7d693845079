//! Matrix products with broadcast batches, by the definition.

use super::value::{Value, build};

pub(super) fn matmul(a: Value<'_>, b: Value<'_>, ta: bool, tb: bool, shape: &[usize]) -> Vec<f64> {
    let inner = a.shape[a.shape.len() - if ta { 2 } else { 1 }];
    build(shape, |index| {
        let (batch, at) = index.split_at(index.len() - 2);
        let (row, column) = (at[0], at[1]);
        let left = |k| if ta { [k, row] } else { [row, k] };
        let right = |k| if tb { [column, k] } else { [k, column] };
        (0..inner).map(|k| element(a, batch, left(k)) * element(b, batch, right(k))).sum()
    })
}

/// An element of the matrix that a broadcast operand has at a batch index of the result.
fn element(v: Value<'_>, batch: &[usize], [row, column]: [usize; 2]) -> f64 {
    let axes = v.shape.len() - 2;
    let own = &batch[batch.len() - axes..];
    let mut flat = 0;
    for (&i, &n) in own.iter().zip(v.shape) {
        flat = flat * n + if n == 1 { 0 } else { i };
    }
    v.data[(flat * v.shape[axes] + row) * v.shape[axes + 1] + column]
}
