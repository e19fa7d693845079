//! 16-bit operands of kernels that compute on 32-bit ones.

use super::{Action, ExecContext, for_each};
use crate::raw::memory::MemoryRegion;
use half::slice::HalfFloatSliceExt;

const CHUNK: usize = 1 << 14;

/// Copies between 16-bit and 32-bit floats.
pub(crate) struct Convert {
    pub halves: MemoryRegion,
    pub floats: MemoryRegion,
    pub len: usize,
    /// From 16 to 32 bits, or back.
    pub widen: bool,
}

impl Action for Convert {
    fn run(&mut self, _: &mut ExecContext<'_>) {
        let this = &*self;
        for_each(this.len.div_ceil(CHUNK), CHUNK, |i| {
            let (start, len) = (i * CHUNK, CHUNK.min(this.len - i * CHUNK));
            if this.widen {
                this.halves.halves(start, len).convert_to_f32_slice(this.floats.floats_mut(start, len));
            } else {
                this.halves.halves_mut(start, len).convert_from_f32_slice(this.floats.floats(start, len));
            }
        });
    }
}
