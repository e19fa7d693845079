//! Operands of a step while it is prepared: the memory that its actions get.

use super::code::Bound;
use super::convert::Convert;
use super::{Action, Builder};
use crate::raw::memory::{Block, MemoryRegion};
use chiaro_graph::DType;
use chiaro_graph::plan::Step;
use chiaro_graph::shape::count;
use std::sync::Arc;

/// An operand of a step with the block that holds it.
pub(crate) struct StepOperand {
    pub bound: Bound,
    pub len: usize,
    pub block: Arc<Block>,
    /// The block's version tells when its content has changed.
    pub lasting: bool,
}

/// Operands of a step while it is prepared.
pub(crate) struct Operands<'a> {
    pub step: &'a Step,
    pub sources: &'a [StepOperand],
    pub bounds: Vec<Bound>,
    pub builder: &'a mut Builder,
    pub actions: Vec<Box<dyn Action>>,
}

impl Operands<'_> {
    /// Memory of the kernel's own input `i`, 16-bit floats widened first.
    pub fn input(&mut self, i: usize) -> MemoryRegion {
        let source = &self.sources[self.step.inputs[i]];
        if source.bound.dtype != DType::F16 {
            return source.bound.region;
        }
        let floats = self.builder.allocate(4 * source.len);
        self.actions.push(Box::new(Convert { halves: source.bound.region, floats, len: source.len, widen: true }));
        floats
    }

    /// Element type of the kernel's own input `i`.
    pub fn dtype(&self, i: usize) -> DType {
        self.sources[self.step.inputs[i]].bound.dtype
    }

    /// The block of input `i`, if a copy of its content may be kept until the version changes.
    pub fn lasting(&self, i: usize) -> Option<Arc<Block>> {
        let source = &self.sources[self.step.inputs[i]];
        (source.lasting && source.bound.dtype != DType::F16).then(|| source.block.clone())
    }

    /// Adds the action of a kernel without an epilogue; `make` gets where it writes.
    pub fn plain<A: Action + 'static>(&mut self, make: impl FnOnce(&mut Self, MemoryRegion) -> A) {
        let to = self.bounds[self.step.program.stores[0].operand];
        let (len, half) = (count(&self.step.program.domain), to.dtype == DType::F16);
        // A result may be the first part of a longer operand.
        let region = to.region.part(0, to.dtype.size() * len);
        let out = if half { self.builder.allocate(4 * len) } else { region };
        let action = make(self, out);
        self.actions.push(Box::new(action));
        if half {
            self.actions.push(Box::new(Convert { halves: region, floats: out, len, widen: false }));
        }
    }

    pub fn add<A: Action + 'static>(&mut self, make: impl FnOnce(&mut Self) -> A) {
        let action = make(self);
        self.actions.push(Box::new(action));
    }
}
