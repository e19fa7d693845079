//! The adjoints of selection: elements or slices are added into zeros, in the order of the source.

use super::gather::inside;
use super::operands::Operands;
use super::{Action, ExecContext, for_each};
use crate::raw::memory::MemoryRegion;
use chiaro_graph::DType;
use chiaro_graph::plan::AxisShape;

/// Lanes of the inner extent that one task adds.
const WIDTH: usize = 64;

/// Source `[outer, m, inner]` and index `[outer, m, inner]` (or `[m]`) to `[outer, n, inner]`.
pub(crate) struct Scatter {
    shape: AxisShape,
    /// Each element has an index of its own.
    each: bool,
    float: bool,
    source: MemoryRegion,
    index: MemoryRegion,
    out: MemoryRegion,
}

impl Scatter {
    pub fn new(shape: AxisShape, each: bool, o: &mut Operands<'_>, out: MemoryRegion) -> Scatter {
        let float = matches!(o.dtype(0), DType::F32 | DType::F16);
        Scatter { shape, each, float, source: o.input(0), index: o.input(1), out }
    }

    fn add(&self, to: usize, lane: u32) {
        let old = self.out.lane(to);
        let sum = match self.float {
            true => (f32::from_bits(old) + f32::from_bits(lane)).to_bits(),
            false => old.wrapping_add(lane),
        };
        self.out.set_lane(to, sum);
    }
}

impl Action for Scatter {
    fn run(&mut self, _: &mut ExecContext<'_>) {
        let this = &*self;
        let AxisShape { outer, n, inner, m } = this.shape;
        let across = inner.div_ceil(WIDTH);
        // A task owns some inner positions of one outer index, so that no two add to one element.
        for_each(outer * across, (n + m) * inner.min(WIDTH), |task| {
            let (o, from) = (task / across, task % across * WIDTH);
            let width = WIDTH.min(inner - from);
            (0..n).for_each(|k| this.out.lanes_mut((o * n + k) * inner + from, width).fill(0));
            for i in 0..m {
                let row = (o * m + i) * inner;
                for c in from..from + width {
                    let index = this.index.lane(if this.each { row + c } else { i });
                    this.add((o * n + inside(index, n)) * inner + c, this.source.lane(row + c));
                }
            }
        });
    }
}
