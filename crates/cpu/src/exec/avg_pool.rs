//! Average pooling and its gradient.

use super::operands::Operands;
use super::window::sizes;
use super::{Action, ExecContext};
use crate::kernels::{self, avg_pool2d, avg_pool2d_gradient};
use crate::raw::memory::MemoryRegion;
use chiaro_graph::AvgDivisor;
use chiaro_graph::plan::PoolShape;

/// Average pooling of `[N,H,W,C]`, or the way back.
pub(crate) struct AvgPool {
    shape: PoolShape,
    sizes: kernels::PoolExtents,
    by: AvgDivisor,
    backward: bool,
    from: MemoryRegion,
    out: MemoryRegion,
}

impl AvgPool {
    pub fn new(shape: &PoolShape, by: AvgDivisor, backward: bool, o: &mut Operands<'_>, out: MemoryRegion) -> AvgPool {
        AvgPool { shape: shape.clone(), sizes: sizes(shape), by, backward, from: o.input(0), out }
    }

    /// What the sum of a window is divided by: with padding counted, its part inside the padded image.
    fn divisor(&self, at: [usize; 2], inside: usize) -> f32 {
        let spec = &self.shape.spec;
        let extent = |axis: usize| {
            let padded = self.shape.x[1 + axis] + 2 * spec.padding[axis];
            spec.kernel[axis].min(padded - at[axis] * spec.stride[axis])
        };
        let divisor = match self.by {
            AvgDivisor::IncludePadding => extent(0) * extent(1),
            AvgDivisor::ExcludePadding => inside,
            AvgDivisor::Fixed(n) => n,
        };
        divisor as f32
    }
}

impl Action for AvgPool {
    fn run(&mut self, context: &mut ExecContext<'_>) {
        let divisor = |y: usize, x: usize, inside: usize| self.divisor([y, x], inside);
        let (from, out) = (self.from.all(), self.out.all_mut());
        match self.backward {
            false => avg_pool2d(context.workspace, &self.sizes, from, out, &divisor),
            true => avg_pool2d_gradient(context.workspace, &self.sizes, from, out, &divisor),
        }
    }
}
