//! Turns a plan's step into actions.

use super::code::ValueSource;
use super::operands::{Operands, StepOperand};
use super::pointwise::Pointwise;
use super::{Action, Builder};
use super::{
    arg_reduce, avg_pool, conv, cross_entropy, custom, gather, matmul, max_pool, moments, reduce, scatter, softmax,
};
use chiaro_graph::plan::{Kernel, Step};

/// The actions of a step, in order.
pub(crate) fn prepare(step: &Step, sources: &[StepOperand], builder: &mut Builder) -> Vec<Box<dyn Action>> {
    builder.begin();
    let bounds = sources.iter().map(|s| s.bound).collect();
    let mut o = Operands { step, sources, bounds, builder, actions: vec![] };
    match &step.kernel {
        Kernel::Pointwise => o.add(|o| Pointwise::new(&step.program, &o.bounds, &ValueSource::Regions(vec![]))),
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
