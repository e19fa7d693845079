//! Ops from outside: their own code over slices, piece by piece.

use super::operands::Operands;
use super::{Action, ExecContext, for_each};
use crate::raw::memory::MemoryRegion;
use chiaro_graph::plan::CustomCall;
use chiaro_graph::{CUSTOM_OPERANDS, DType, Elements, ElementsMut};

/// Runs a custom op.
pub(crate) struct CustomAction {
    call: CustomCall,
    operands: Vec<MemoryRegion>,
    out: MemoryRegion,
}

impl CustomAction {
    pub fn new(call: &CustomCall, o: &mut Operands<'_>, out: MemoryRegion) -> CustomAction {
        CustomAction { call: call.clone(), operands: (0..call.operands.len()).map(|i| o.input(i)).collect(), out }
    }

    /// Elements of an operand; 16-bit floats were widened.
    fn elements(&self, operand: usize) -> Elements<'_> {
        let (region, of) = (self.operands[operand], &self.call.operands[operand]);
        match of.dtype {
            DType::F32 | DType::F16 => Elements::F32(region.floats(0, of.len())),
            DType::I32 => Elements::I32(bytemuck::cast_slice(region.lanes(0, of.len()))),
            DType::U32 | DType::Bool => Elements::U32(region.lanes(0, of.len())),
        }
    }
}

impl Action for CustomAction {
    fn run(&mut self, _: &mut ExecContext<'_>) {
        let this = &*self;
        let CustomCall { op, operands: types, result } = &this.call;
        // On the stack: a step allocates nothing.
        let mut operands = [(result, Elements::U32(&[])); CUSTOM_OPERANDS];
        types.iter().enumerate().for_each(|(i, of)| operands[i] = (of, this.elements(i)));
        let operands = &operands[..types.len()];
        let pieces = op.pieces(result);
        let len = result.len() / pieces;
        for_each(pieces, len, |i| {
            let out = match result.dtype {
                DType::F32 | DType::F16 => ElementsMut::F32(this.out.floats_mut(i * len, len)),
                DType::I32 => ElementsMut::I32(bytemuck::cast_slice_mut(this.out.lanes_mut(i * len, len))),
                DType::U32 | DType::Bool => ElementsMut::U32(this.out.lanes_mut(i * len, len)),
            };
            op.compute(operands, i, out);
        });
    }
}
