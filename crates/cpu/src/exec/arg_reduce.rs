//! Position of the first extreme along an axis.

use super::operands::Operands;
use super::{Action, ExecContext, for_each};
use crate::raw::memory::MemoryRegion;
use chiaro_graph::plan::AxisShape;
use chiaro_graph::{DType, ReduceKind};

/// Arg-reduction of `[outer, n, inner]` to i32 `[outer, inner]`.
pub(crate) struct ArgReduce {
    kind: ReduceKind,
    shape: AxisShape,
    dtype: DType,
    x: MemoryRegion,
    out: MemoryRegion,
}

impl ArgReduce {
    pub fn new(kind: ReduceKind, shape: AxisShape, o: &mut Operands<'_>, out: MemoryRegion) -> ArgReduce {
        ArgReduce { kind, shape, dtype: o.dtype(0), x: o.input(0), out }
    }

    fn value(&self, at: usize) -> f64 {
        let lane = self.x.lane(at);
        match self.dtype {
            DType::F32 | DType::F16 => f64::from(f32::from_bits(lane)),
            DType::I32 => f64::from(lane as i32),
            DType::U32 | DType::Bool => f64::from(lane),
        }
    }
}

impl Action for ArgReduce {
    fn run(&mut self, _: &mut ExecContext<'_>) {
        let this = &*self;
        let AxisShape { outer, n, inner, .. } = this.shape;
        for_each(outer * inner, n, |i| {
            let start = i / inner * n * inner + i % inner;
            let mut best = (0, this.value(start));
            for k in 1..n {
                let v = this.value(start + k * inner);
                let beyond = if this.kind == ReduceKind::Max { v > best.1 } else { v < best.1 };
                // NaN counts as the extreme.
                if beyond || v.is_nan() && !best.1.is_nan() {
                    best = (k, v);
                }
            }
            this.out.set_lane(i, best.0 as u32);
        });
    }
}
