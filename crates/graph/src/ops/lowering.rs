//! How each op takes part in a plan, and the kernel of those that have one. A new op is named by the compiler until it stands here.

use super::matmul::matmul_shape;
use crate::graph::{Graph, Var};
use crate::op::Op;
use crate::plan::{AxisShape, ConvShape, CustomCall, Kernel, PoolShape};
use crate::shape::count;

/// How a node takes part in a plan.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Already in a buffer: inputs, states, constants.
    Leaf,
    /// Computed point by point wherever it is used.
    Pointwise,
    /// Elements moved, nothing computed.
    Movement,
    /// Runs over its operand's points: sums, maxima.
    Reduce,
    /// A kernel of its own, or parts put into one buffer.
    Structural,
}

pub(crate) fn role(op: &Op) -> Role {
    match op {
        Op::Input(_) | Op::State(_) | Op::Arena(_) | Op::Constant(_) => Role::Leaf,
        Op::Map(_) | Op::Cast(_) | Op::Scalar(_) | Op::Iota | Op::Random { .. } => Role::Pointwise,
        Op::Reshape | Op::Transpose(_) | Op::Broadcast | Op::Slice { .. } | Op::WithGradient(_) => Role::Movement,
        Op::Reduce(..) => Role::Reduce,
        Op::Pad { .. } | Op::Concat(_) | Op::Pack(..) | Op::ArgReduce(..) | Op::Moments(_) => Role::Structural,
        Op::MatMul { .. } | Op::Conv2d(_) | Op::Conv2dInputGrad(_) | Op::Conv2dWeightGrad(_) => Role::Structural,
        Op::MaxPool2d(_) | Op::MaxPool2dIndex(_) | Op::MaxPool2dGrad(_) => Role::Structural,
        Op::AvgPool2d(..) | Op::AvgPool2dGrad(..) | Op::Softmax { .. } => Role::Structural,
        Op::CrossEntropy(_) | Op::CrossEntropyGrad(_) | Op::Custom(_) => Role::Structural,
        Op::Gather(_) | Op::ScatterAdd(_) | Op::IndexSelect(_) | Op::IndexAdd(_) => Role::Structural,
    }
}

fn four(shape: &[usize]) -> [usize; 4] {
    let mut out = [1; 4];
    shape.iter().zip(&mut out).for_each(|(s, o)| *o = *s);
    out
}

fn along(shape: &[usize], axis: usize, m: usize) -> AxisShape {
    AxisShape { outer: count(&shape[..axis]), n: shape[axis], inner: count(&shape[axis + 1..]), m }
}

/// The kernel of a structural op that has one; the others are traced into programs.
pub(crate) fn kernel(graph: &Graph, v: Var) -> Option<Kernel> {
    let node = graph.node(v);
    let at = |i: usize| graph.shape(node.inputs[i]);
    let out = node.shape.as_slice();
    let conv = |spec: &crate::op::ConvSpec, x: &[usize], w: &[usize], y: &[usize]| ConvShape {
        spec: spec.clone(),
        x: four(x),
        w: four(w),
        y: four(y),
    };
    let pool =
        |spec: &crate::op::PoolSpec, x: &[usize], y: &[usize]| PoolShape { spec: spec.clone(), x: four(x), y: four(y) };
    Some(match &node.op {
        Op::MatMul { ta, tb } => Kernel::MatMul(matmul_shape(at(0), at(1), out, *ta, *tb)),
        Op::Conv2d(s) => Kernel::Conv2d(conv(s, at(0), at(1), out)),
        Op::Conv2dInputGrad(s) => Kernel::Conv2dInputGrad(conv(s, out, at(1), at(0))),
        Op::Conv2dWeightGrad(s) => Kernel::Conv2dWeightGrad(conv(s, at(0), out, at(1))),
        Op::MaxPool2d(s) => Kernel::MaxPool2d(pool(s, at(0), out)),
        Op::MaxPool2dIndex(s) => Kernel::MaxPool2dIndex(pool(s, at(0), out)),
        Op::MaxPool2dGrad(s) => Kernel::MaxPool2dGrad(pool(s, at(0), at(1))),
        Op::AvgPool2d(s, by) => Kernel::AvgPool2d(pool(s, at(0), out), *by),
        Op::AvgPool2dGrad(s, by) => Kernel::AvgPool2dGrad(pool(s, out, at(0)), *by),
        Op::Softmax { log } => {
            let n = out.last().copied().unwrap_or(1);
            Kernel::Softmax { rows: count(out) / n.max(1), n, log: *log }
        }
        Op::CrossEntropy(spec) => {
            Kernel::CrossEntropy { spec: *spec, rows: at(0)[0], classes: at(0)[1], weighted: node.inputs.len() > 2 }
        }
        Op::CrossEntropyGrad(spec) => {
            Kernel::CrossEntropyGrad { spec: *spec, rows: out[0], classes: out[1], weighted: node.inputs.len() > 3 }
        }
        Op::ArgReduce(kind, axis) => Kernel::ArgReduce(*kind, along(at(0), *axis, 1)),
        Op::Moments(axis) => Kernel::Moments { axis: *axis, rows: at(0)[0], columns: at(0)[1] },
        Op::Gather(axis) => Kernel::Gather(along(at(0), *axis, out[*axis])),
        Op::ScatterAdd(axis) => Kernel::ScatterAdd(along(out, *axis, at(0)[*axis])),
        Op::IndexSelect(axis) => Kernel::IndexSelect(along(at(0), *axis, out[*axis])),
        Op::IndexAdd(axis) => Kernel::IndexAdd(along(out, *axis, at(0)[*axis])),
        Op::Custom(op) => Kernel::Custom(CustomCall {
            op: op.clone(),
            operands: node.inputs.iter().map(|&x| graph.tensor_type(x)).collect(),
            result: graph.tensor_type(v),
        }),
        Op::Input(_) | Op::State(_) | Op::Arena(_) | Op::Constant(_) => return None,
        Op::Map(_) | Op::Cast(_) | Op::Scalar(_) | Op::Iota | Op::Random { .. } => return None,
        Op::Reshape | Op::Transpose(_) | Op::Broadcast | Op::Slice { .. } | Op::WithGradient(_) => return None,
        Op::Reduce(..) | Op::Concat(_) | Op::Pad { .. } | Op::Pack(..) => return None,
    })
}
