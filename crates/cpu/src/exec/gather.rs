//! Selection by index along an axis: element by element, or whole slices.

use super::operands::Operands;
use super::{Action, ExecContext, for_each};
use crate::raw::memory::MemoryRegion;
use chiaro_graph::plan::AxisShape;

/// x `[outer, n, inner]` and index `[outer, m, inner]` (or `[m]`, shared by all) to `[outer, m, inner]`.
pub(crate) struct Gather {
    shape: AxisShape,
    /// Each element has an index of its own.
    each: bool,
    x: MemoryRegion,
    index: MemoryRegion,
    out: MemoryRegion,
}

impl Gather {
    pub fn new(shape: AxisShape, each: bool, o: &mut Operands<'_>, out: MemoryRegion) -> Gather {
        Gather { shape, each, x: o.input(0), index: o.input(1), out }
    }
}

/// An index moved inside the axis (outside is the caller's error).
pub(crate) fn inside(lane: u32, extent: usize) -> usize {
    ((lane as i32).max(0) as usize).min(extent - 1)
}

impl Action for Gather {
    fn run(&mut self, _: &mut ExecContext<'_>) {
        let this = &*self;
        let AxisShape { outer, n, inner, m } = this.shape;
        for_each(outer * m, inner, |row| {
            let (o, i) = (row / m, row % m);
            let out = this.out.lanes_mut(row * inner, inner);
            if this.each {
                for (c, out) in out.iter_mut().enumerate() {
                    *out = this.x.lane((o * n + inside(this.index.lane(row * inner + c), n)) * inner + c);
                }
            } else {
                out.copy_from_slice(this.x.lanes((o * n + inside(this.index.lane(i), n)) * inner, inner));
            }
        });
    }
}
