//! One node from its operands: the op table of the reference executor.

use super::value::Value;
use super::{conv, custom, elementwise, index, loss, matmul, movement, pool, random, reduce};
use chiaro_graph::{Graph, Node, Op};

/// The value of a node that is computed from operands alone; none for one that reads an input or a state.
pub(super) fn compute(graph: &Graph, node: &Node, operands: &[Value<'_>]) -> Option<Vec<f64>> {
    let shape = &node.shape[..];
    let a = |i: usize| operands[i];
    Some(match &node.op {
        Op::Input(_) | Op::State(_) | Op::Arena(_) => return None,
        Op::Scalar(s) => vec![s.value],
        Op::Constant(id) => graph.constants()[id.index()].to_f64(),
        Op::Iota => (0..shape[0]).map(|i| i as f64).collect(),
        Op::Random { kind, salt } => random::random(*kind, *salt, a(0), shape.iter().product()),
        Op::Map(op) => elementwise::map(*op, operands),
        Op::Cast(to) => elementwise::cast(a(0), *to),
        Op::Reshape | Op::WithGradient(_) => a(0).data.to_vec(),
        Op::Transpose(perm) => movement::transpose(a(0), perm, shape),
        Op::Broadcast => movement::broadcast(a(0), shape),
        Op::Slice { start, step } => movement::slice(a(0), start, step, shape),
        Op::Pad { low, value, .. } => movement::pad(a(0), low, value.value, shape),
        Op::Concat(axis) => movement::concat(operands, *axis, shape),
        Op::Pack(_, states) => movement::pack(graph, states, operands, shape),
        Op::Reduce(kind, _) => reduce::reduce(*kind, a(0), shape),
        Op::ArgReduce(kind, axis) => reduce::arg_reduce(*kind, a(0), *axis, shape),
        Op::Moments(axis) => reduce::moments(a(0), *axis),
        Op::MatMul { ta, tb } => matmul::matmul(a(0), a(1), *ta, *tb, shape),
        Op::Conv2d(spec) => conv::forward(a(0), a(1), spec, shape),
        Op::Conv2dInputGrad(spec) => conv::input_grad(a(0), a(1), spec, shape),
        Op::Conv2dWeightGrad(spec) => conv::weight_grad(a(0), a(1), spec, shape),
        Op::MaxPool2d(spec) => pool::max(a(0), spec, shape),
        Op::MaxPool2dIndex(spec) => pool::max_index(a(0), spec, shape),
        Op::MaxPool2dGrad(spec) => pool::max_grad(a(0), a(2), spec),
        Op::AvgPool2d(spec, by) => pool::avg(a(0), spec, *by, shape),
        Op::AvgPool2dGrad(spec, by) => pool::avg_grad(a(0), spec, *by, shape),
        Op::Softmax { log } => loss::softmax(a(0), *log),
        Op::CrossEntropy(spec) => loss::cross_entropy(a(0), a(1), operands.get(2).copied(), spec),
        Op::CrossEntropyGrad(spec) => loss::cross_entropy_grad(a(0), a(1), a(2), operands.get(3).copied(), spec),
        Op::Gather(axis) => index::gather(a(0), a(1), *axis, shape),
        Op::ScatterAdd(axis) => index::scatter_add(a(0), a(1), *axis, shape),
        Op::IndexSelect(axis) => index::index_select(a(0), a(1), *axis, shape),
        Op::IndexAdd(axis) => index::index_add(a(0), a(1), *axis, shape),
        Op::Custom(op) => custom::compute(op, operands, node),
    })
}
