//! Reductions, positions of extremes, and moments (two passes: the mean first).

use super::value::{Value, each_index, ravel, sum};
use chiaro_graph::{MomentsAxis, ReduceKind};

/// True if `v` replaces the extreme found so far; NaN counts as the extreme.
pub(super) fn replaces(kind: ReduceKind, v: f64, best: f64) -> bool {
    let beyond = if kind == ReduceKind::Max { v > best } else { v < best };
    beyond || (v.is_nan() && !best.is_nan())
}

/// Reduces axes to the extent 1 that `shape` has there. Sums of integers wrap around.
pub(super) fn reduce(kind: ReduceKind, x: Value<'_>, shape: &[usize]) -> Vec<f64> {
    let start = match kind {
        ReduceKind::Sum => 0.0,
        ReduceKind::Max => f64::NEG_INFINITY,
        ReduceKind::Min => f64::INFINITY,
    };
    let mut out = vec![start; shape.iter().product()];
    each_index(x.shape, |flat, index| {
        let kept: Vec<usize> = index.iter().zip(shape).map(|(&i, &n)| i.min(n - 1)).collect();
        let (slot, v) = (&mut out[ravel(shape, &kept)], x.data[flat]);
        match kind {
            ReduceKind::Sum => *slot = sum(x.dtype, *slot, v),
            ReduceKind::Max | ReduceKind::Min => {
                if replaces(kind, v, *slot) {
                    *slot = v;
                }
            }
        }
    });
    out
}

/// Index of the first extreme along an axis.
pub(super) fn arg_reduce(kind: ReduceKind, x: Value<'_>, axis: usize, shape: &[usize]) -> Vec<f64> {
    let mut out = Vec::with_capacity(shape.iter().product());
    each_index(shape, |_, index| {
        let mut at = index.to_vec();
        let mut best = (0, x.at(&at));
        for i in 1..x.shape[axis] {
            at[axis] = i;
            let v = x.at(&at);
            if replaces(kind, v, best.1) {
                best = (i, v);
            }
        }
        out.push(best.0 as f64);
    });
    out
}

/// Means, then biased variances, of the columns (`Rows`: over the rows) or the rows of a matrix.
pub(super) fn moments(x: Value<'_>, axis: MomentsAxis) -> Vec<f64> {
    let (rows, columns) = (x.shape[0], x.shape[1]);
    let series: Vec<Vec<f64>> = match axis {
        MomentsAxis::Rows => (0..columns).map(|c| (0..rows).map(|r| x.data[r * columns + c]).collect()).collect(),
        MomentsAxis::Columns => x.data.chunks(columns).map(<[f64]>::to_vec).collect(),
    };
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let means: Vec<f64> = series.iter().map(|s| mean(s)).collect();
    let variances = series.iter().zip(&means).map(|(s, m)| {
        let squares: Vec<f64> = s.iter().map(|v| (v - m) * (v - m)).collect();
        mean(&squares)
    });
    means.iter().copied().chain(variances).collect()
}
