//! Turns a plan's step into actions.

use super::code::{Bound, Values};
use super::convert::Convert;
use super::memory::{Block, Region};
use super::pointwise::Pointwise;
use super::{Action, Builder};
use super::{
    arg_reduce, avg_pool, conv, cross_entropy, custom, gather, matmul, max_pool, moments, reduce, scatter, softmax,
};
use chiaro_graph::DType;
use chiaro_graph::plan::{Kernel, Step};
use chiaro_graph::shape::count;
use std::sync::Arc;

/// An operand of a step with the block that holds it.
pub(crate) struct Source {
    pub bound: Bound,
    pub len: usize,
    pub block: Arc<Block>,
    /// The block's version tells when its content has changed.
    pub lasting: bool,
}

/// Operands of a step while it is prepared.
pub(crate) struct Operands<'a> {
    pub step: &'a Step,
    pub sources: &'a [Source],
    pub bounds: Vec<Bound>,
    pub builder: &'a mut Builder,
    pub actions: Vec<Box<dyn Action>>,
}

impl Operands<'_> {
    /// Memory of the kernel's own input `i`, 16-bit floats widened first.
    pub fn input(&mut self, i: usize) -> Region {
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
    fn plain<A: Action + 'static>(&mut self, make: impl FnOnce(&mut Self, Region) -> A) {
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

    fn add<A: Action + 'static>(&mut self, make: impl FnOnce(&mut Self) -> A) {
        let action = make(self);
        self.actions.push(Box::new(action));
    }
}

/// The actions of a step, in order.
pub(crate) fn prepare(step: &Step, sources: &[Source], builder: &mut Builder) -> Vec<Box<dyn Action>> {
    builder.begin();
    let bounds = sources.iter().map(|s| s.bound).collect();
    let mut o = Operands { step, sources, bounds, builder, actions: vec![] };
    match &step.kernel {
        Kernel::Pointwise => o.add(|o| Pointwise::new(&step.program, &o.bounds, &Values::Regions(vec![]))),
        Kernel::Reduce { prologue, kept, results } => {
            o.add(|o| reduce::Reduce::new((prologue, *kept), results, &step.program, &o.bounds, o.builder));
        }
        Kernel::MatMul(shape) => o.add(|o| matmul::MatMul::new(shape, o)),
        Kernel::Conv2d(shape) => o.add(|o| conv::Conv::new(shape, false, o)),
        Kernel::Conv2dInputGrad(shape) => o.add(|o| conv::Conv::new(shape, true, o)),
        Kernel::Conv2dWeightGrad(shape) => o.plain(|o, out| conv::WeightGrad::new(shape, o, out)),
        Kernel::MaxPool2d(shape) => o.plain(|o, out| max_pool::MaxPool::new(shape, o, out)),
        Kernel::MaxPool2dIndex(shape) => o.plain(|o, out| max_pool::MaxPoolIndex::new(shape, o, out)),
        Kernel::MaxPool2dGrad(shape) => o.add(|o| max_pool::MaxPoolGrad::new(shape, o)),
        Kernel::AvgPool2d(shape, by) => o.plain(|o, out| avg_pool::AvgPool::new(shape, *by, false, o, out)),
        Kernel::AvgPool2dGrad(shape, by) => o.plain(|o, out| avg_pool::AvgPool::new(shape, *by, true, o, out)),
        Kernel::Softmax { rows, n, log } => {
            o.plain(|o, out| softmax::Softmax { x: o.input(0), out, rows: *rows, n: *n, log: *log });
        }
        Kernel::CrossEntropy { spec, rows, classes, weighted } => {
            o.plain(|o, out| cross_entropy::CrossEntropy::new(*spec, [*rows, *classes], *weighted, false, o, out));
        }
        Kernel::CrossEntropyGrad { spec, rows, classes, weighted } => {
            o.plain(|o, out| cross_entropy::CrossEntropy::new(*spec, [*rows, *classes], *weighted, true, o, out));
        }
        Kernel::ArgReduce(kind, shape) => o.plain(|o, out| arg_reduce::ArgReduce::new(*kind, *shape, o, out)),
        Kernel::Moments { axis, rows, columns } => {
            o.plain(|o, out| moments::Moments::new(*axis, *rows, *columns, o, out));
        }
        Kernel::Gather(shape) => o.plain(|o, out| gather::Gather::new(*shape, true, o, out)),
        Kernel::IndexSelect(shape) => o.plain(|o, out| gather::Gather::new(*shape, false, o, out)),
        Kernel::ScatterAdd(shape) => o.plain(|o, out| scatter::Scatter::new(*shape, true, o, out)),
        Kernel::Custom(call) => o.plain(|o, out| custom::CustomAction::new(call, o, out)),
        Kernel::IndexAdd(shape) => o.plain(|o, out| scatter::Scatter::new(*shape, false, o, out)),
    }
    o.actions
}
