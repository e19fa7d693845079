//! Reductions and positions of extremes.

use super::super::arg::V;
use super::super::call::Call;
use super::Gen;
use chiaro_graph::{DType, ReduceKind};

impl Gen {
    /// Some axes of a shape, at least one if there is one.
    pub fn axes(&mut self, rank: usize) -> Vec<usize> {
        let pattern = self.rng.below(4);
        match pattern {
            0 => (0..rank).collect(),
            1 if rank > 0 => (0..rank - 1).collect(),
            2 if rank > 0 => vec![rank - 1],
            _ => (0..rank).filter(|_| self.rng.percent(50)).collect(),
        }
    }

    /// A float as one number.
    pub fn total(&mut self, x: V) -> Option<V> {
        if self.rng.percent(50) {
            return self.call(Call::SumAll { x });
        }
        let axes = (0..self.shape(x).len()).collect();
        self.call(Call::Mean { x, axes, keepdim: false })
    }
}

/// Sums, extremes, means and variances over some axes.
pub(super) fn reduction(g: &mut Gen) -> Option<V> {
    let x = if g.rng.percent(90) { g.float()? } else { g.some(|g, v| g.dtype(v) == DType::I32)? };
    let rank = g.shape(x).len();
    let (axes, keepdim) = (g.axes(rank), g.rng.percent(50));
    let kind = g.rng.pick(&[ReduceKind::Sum, ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min]);
    if !g.dtype(x).is_float() {
        return g.call(Call::Reduce { kind, x, axes, keepdim });
    }
    match g.rng.below(5) {
        0 => g.call(Call::Mean { x, axes, keepdim }),
        1 => {
            let count: usize = axes.iter().map(|&a| g.shape(x)[a]).product();
            let correction = if count > 1 { g.rng.pick(&[0.0, 1.0]) } else { 0.0 };
            g.call(Call::Variance { x, axes, keepdim, correction })
        }
        2 => g.call(Call::SumAll { x }),
        _ => g.call(Call::Reduce { kind, x, axes, keepdim }),
    }
}

/// Where the largest or smallest is, or its value.
pub(super) fn extremes(g: &mut Gen) -> Option<V> {
    let x = g.float()?;
    let rank = g.shape(x).len();
    if rank == 0 {
        return None;
    }
    let (kind, axis) = (g.rng.pick(&[ReduceKind::Max, ReduceKind::Min]), g.rng.below(rank));
    let keepdim = g.rng.percent(50);
    if g.rng.percent(50) {
        return g.call(Call::SelectExtreme { kind, x, axis, keepdim });
    }
    g.call(Call::ArgReduce { kind, x, axis, keepdim })
}
