//! The gradient table: for each op, the cotangents of its operands from that of its result.

use super::rule;
use crate::error::{GraphError, Result};
use crate::graph::{Graph, Var};
use crate::op::{GradientRule, Op};
use crate::ops::{loss, matmul, movement, norm, reduce};

/// Cotangents of the operands of `v`, given its own. `needed` tells which operands are worth the work.
pub(super) fn cotangents(g: &mut Graph, v: Var, d: Var, needed: &dyn Fn(Var) -> bool) -> Result<Vec<Option<Var>>> {
    let node = g.node(v).clone();
    let x = node.inputs.first().copied().unwrap_or(v);
    let y = node.inputs.get(1).copied().unwrap_or(v);
    let sx = g.shape(x).to_vec();
    let one = |r: Result<Var>| r.map(|v| vec![Some(v)]);
    match &node.op {
        Op::Map(op) => {
            let mut values = node.inputs.clone();
            values.extend([d, v]);
            let n = node.inputs.len();
            rule(g, &values, |e| op.gradient(&e[..n], e[n], e[n + 1]))
        }
        Op::Cast(_) => one(g.cast(d, g.dtype(x))),
        Op::Reshape => one(g.reshape(d, &sx)),
        Op::Transpose(perm) => {
            let mut inverse = vec![0; perm.len()];
            perm.iter().enumerate().for_each(|(i, &p)| inverse[p] = i);
            one(g.transpose(d, &inverse))
        }
        Op::Broadcast => one(g.sum_to(d, &sx)),
        Op::Slice { start, step } => one(movement::slice_gradient(g, d, &sx, start, step)),
        Op::Pad { low, .. } => one(g.slice(d, low, &sx, &vec![1; sx.len()])),
        Op::Concat(axis) => movement::concat_gradient(g, &node.inputs, d, *axis),
        Op::Reduce(crate::op::ReduceKind::Sum, _) => {
            let d = g.cast(d, g.dtype(x))?;
            one(g.broadcast_to(d, &sx))
        }
        Op::Reduce(..) => reduce::extreme_gradient(g, x, v, d),
        Op::Moments(axis) => norm::moments_gradient(g, x, v, d, *axis),
        // The result may have more digits than the operands, and with it the cotangent.
        Op::MatMul { ta, tb } => {
            let d = g.cast(d, g.dtype(x))?;
            matmul::matmul_gradient(g, [x, y], d, [*ta, *tb], needed)
        }
        Op::Conv2d(spec) => {
            let sw = g.shape(y).to_vec();
            let dx = needed(x).then(|| g.conv2d_input_grad(d, y, spec, &sx));
            Ok(vec![dx, needed(y).then(|| g.conv2d_weight_grad(x, d, spec, &sw))])
        }
        // The adjoint of the adjoint: x stands where dy stood.
        Op::Conv2dInputGrad(spec) => {
            let sw = g.shape(y).to_vec();
            let dx = g.push(Op::Conv2d(spec.clone()), vec![d, y], sx, node.dtype);
            Ok(vec![Some(dx), needed(y).then(|| g.conv2d_weight_grad(d, x, spec, &sw))])
        }
        Op::Conv2dWeightGrad(spec) => {
            let (sy, dtype) = (g.shape(y).to_vec(), g.dtype(y));
            let d = g.cast(d, dtype)?;
            let dx = needed(x).then(|| g.conv2d_input_grad(y, d, spec, &sx));
            Ok(vec![dx, needed(y).then(|| g.push(Op::Conv2d(spec.clone()), vec![x, d], sy, dtype))])
        }
        Op::MaxPool2d(spec) => Ok(vec![Some(g.push(Op::MaxPool2dGrad(spec.clone()), vec![x, v, d], sx, node.dtype))]),
        Op::AvgPool2d(spec, by) => {
            Ok(vec![Some(g.push(Op::AvgPool2dGrad(spec.clone(), *by), vec![d], sx, node.dtype))])
        }
        Op::AvgPool2dGrad(spec, by) => {
            Ok(vec![Some(g.push(Op::AvgPool2d(spec.clone(), *by), vec![d], sx, node.dtype))])
        }
        Op::Softmax { log } => loss::softmax_gradient(g, v, d, *log),
        Op::CrossEntropy(_) if node.inputs.get(2).is_some_and(|&w| needed(w)) => {
            Err(GraphError::NotDifferentiable(format!("class weights of {} in {:?}", node.op.name(), g.path(v))))
        }
        Op::CrossEntropy(spec) => {
            let mut inputs = vec![x, y, d];
            inputs.extend(node.inputs.get(2));
            let dtype = g.dtype(x);
            Ok(vec![Some(g.push(Op::CrossEntropyGrad(*spec), inputs, sx, dtype)), None, None])
        }
        Op::Gather(axis) => Ok(vec![Some(g.push(Op::ScatterAdd(*axis), vec![d, y], sx, node.dtype)), None]),
        Op::ScatterAdd(axis) => Ok(vec![Some(g.gather(d, y, *axis)?), None]),
        Op::IndexSelect(axis) => Ok(vec![Some(g.push(Op::IndexAdd(*axis), vec![d, y], sx, node.dtype)), None]),
        Op::IndexAdd(axis) => Ok(vec![Some(g.index_select(d, y, *axis)?), None]),
        Op::Custom(op) => op.checked_gradient(g, &node.inputs, v, d, needed),
        Op::WithGradient(GradientRule::BatchNorm { eps_bits }) => {
            norm::batch_norm_gradient(g, &node.inputs, d, f64::from_bits(*eps_bits))
        }
        Op::WithGradient(GradientRule::Standardize { axes, eps_bits }) => {
            norm::standardize_gradient(g, &node.inputs, d, *axes, f64::from_bits(*eps_bits))
        }
        Op::Input(_) | Op::State(_) | Op::Arena(_) | Op::Scalar(_) | Op::Constant(_) | Op::Iota => Ok(vec![]),
        Op::Random { .. } => Ok(vec![None]),
        Op::Pack(_, states) => movement::pack_gradient(g, &node.inputs, states, d),
        Op::ArgReduce(..) | Op::MaxPool2dIndex(_) | Op::MaxPool2dGrad(_) | Op::CrossEntropyGrad(_) => {
            Err(GraphError::NotDifferentiable(format!("{} in {:?}", node.op.name(), g.path(v))))
        }
    }
}
