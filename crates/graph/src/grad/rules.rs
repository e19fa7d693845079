//! The gradient table: for each op, the cotangents of its operands from that of its result.

use super::rule;
use crate::error::{GraphError, Result};
use crate::graph::{Graph, Var};
use crate::op::{GradientRule, MomentsAxis, Op};

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
        Op::Slice { start, step } => one(slice_gradient(g, d, &sx, start, step)),
        Op::Pad { low, .. } => one(g.slice(d, low, &sx, &vec![1; sx.len()])),
        Op::Concat(axis) => concat_gradient(g, &node.inputs, d, *axis),
        Op::Reduce(crate::op::ReduceKind::Sum, _) => {
            let d = g.cast(d, g.dtype(x))?;
            one(g.broadcast_to(d, &sx))
        }
        Op::Reduce(..) => extreme_gradient(g, x, v, d),
        Op::Moments(axis) => moments_gradient(g, x, v, d, *axis),
        // The result may have more digits than the operands, and with it the cotangent.
        Op::MatMul { ta, tb } => {
            let d = g.cast(d, g.dtype(x))?;
            matmul_gradient(g, [x, y], d, [*ta, *tb], needed)
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
        Op::Softmax { log } => softmax_gradient(g, v, d, *log),
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
        Op::LoadImages if node.inputs.get(3).is_some_and(|&affine| needed(affine)) => {
            Err(GraphError::NotDifferentiable(format!("the normalisation of {} in {:?}", node.op.name(), g.path(v))))
        }
        Op::LoadImages => Ok(vec![None; 4]),
        Op::WithGradient(GradientRule::BatchNorm { eps_bits }) => {
            batch_norm_gradient(g, &node.inputs, d, f64::from_bits(*eps_bits))
        }
        Op::WithGradient(GradientRule::Standardize { axes, eps_bits }) => {
            standardize_gradient(g, &node.inputs, d, *axes, f64::from_bits(*eps_bits))
        }
        Op::Input(_) | Op::State(_) | Op::Arena(_) | Op::Scalar(_) | Op::Constant(_) | Op::Iota => Ok(vec![]),
        Op::Random { .. } => Ok(vec![None]),
        Op::Pack(_, states) => pack_gradient(g, &node.inputs, states, d),
        Op::ArgReduce(..) | Op::MaxPool2dIndex(_) | Op::MaxPool2dGrad(_) | Op::CrossEntropyGrad(_) => {
            Err(GraphError::NotDifferentiable(format!("{} in {:?}", node.op.name(), g.path(v))))
        }
    }
}

/// Undoes a slice: zeros between the elements of a step, reversal of a negative one, zeros around.
fn slice_gradient(g: &mut Graph, d: Var, shape: &[usize], start: &[usize], step: &[isize]) -> Result<Var> {
    let mut d = d;
    for axis in 0..shape.len() {
        let len = g.shape(d)[axis];
        let (mut first, stride) = (start[axis], step[axis].unsigned_abs());
        let mut starts = vec![0; shape.len()];
        let mut steps = vec![1; shape.len()];
        if step[axis] < 0 {
            first -= stride * (len - 1);
            (starts[axis], steps[axis]) = (len - 1, -1);
            let same = g.shape(d).to_vec();
            d = g.slice(d, &starts, &same, &steps)?;
        }
        if stride > 1 && len > 1 {
            let before = g.shape(d).to_vec();
            let (mut wide, mut high) = (before.clone(), vec![0; before.len() + 1]);
            wide.insert(axis + 1, 1);
            high[axis + 1] = stride - 1;
            let spread = g.reshape(d, &wide)?;
            let spread = g.pad(spread, &vec![0; wide.len()], &high, 0.0)?;
            let mut merged = before;
            merged[axis] = len * stride;
            d = g.reshape(spread, &merged)?;
            d = g.narrow(d, axis, 0, (len - 1) * stride + 1)?;
        }
        let (mut low, mut high) = (vec![0; shape.len()], vec![0; shape.len()]);
        (low[axis], high[axis]) = (first, shape[axis] - first - g.shape(d)[axis]);
        d = g.pad(d, &low, &high, 0.0)?;
    }
    Ok(d)
}

fn concat_gradient(g: &mut Graph, inputs: &[Var], d: Var, axis: usize) -> Result<Vec<Option<Var>>> {
    let mut start = 0;
    let mut parts = vec![];
    for &v in inputs {
        let end = start + g.shape(v)[axis];
        parts.push(Some(g.narrow(d, axis, start, end)?));
        start = end;
    }
    Ok(parts)
}

fn pack_gradient(g: &mut Graph, inputs: &[Var], states: &[crate::graph::StateId], d: Var) -> Result<Vec<Option<Var>>> {
    let mut parts = vec![];
    for (&v, state) in inputs.iter().zip(states) {
        let (shape, offset) = (g.shape(v).to_vec(), g.states()[state.0].offset);
        let flat = g.narrow(d, 0, offset, offset + crate::shape::count(&shape))?;
        parts.push(Some(g.reshape(flat, &shape)?));
    }
    Ok(parts)
}

/// Equal extremes share the gradient evenly.
fn extreme_gradient(g: &mut Graph, x: Var, y: Var, d: Var) -> Result<Vec<Option<Var>>> {
    let (sx, sy) = (g.shape(x).to_vec(), g.shape(y).to_vec());
    let axes: Vec<usize> = (0..sx.len()).filter(|&i| sx[i] != sy[i]).collect();
    rule(g, &[x, y, d], |e| {
        let hit = e[0].equal(e[1]).float().like(e[2]);
        vec![Some(hit * (e[2] / hit.sum(&axes)))]
    })
}

/// d mean / dx = 1/n; d variance / dx = 2 (x - mean) / n.
fn moments_gradient(g: &mut Graph, x: Var, m: Var, d: Var, axis: MomentsAxis) -> Result<Vec<Option<Var>>> {
    let (sx, kept) = (g.shape(x).to_vec(), g.shape(m)[1]);
    let (n, along) = match axis {
        MomentsAxis::Rows => (sx[0] as f64, vec![1, kept]),
        MomentsAxis::Columns => (sx[1] as f64, vec![kept, 1]),
    };
    rule(g, &[x, m, d], |e| {
        let mean = e[1].rows(0, 1).view(&along);
        let d_mean = e[2].rows(0, 1).view(&along);
        let d_var = e[2].rows(1, 2).view(&along);
        vec![Some(((e[0].like(mean) - mean) * (d_var * (2.0 / n)) + d_mean * (1.0 / n)).like(e[0]))]
    })
}

fn matmul_gradient(
    g: &mut Graph,
    [a, b]: [Var; 2],
    d: Var,
    [ta, tb]: [bool; 2],
    needed: &dyn Fn(Var) -> bool,
) -> Result<Vec<Option<Var>>> {
    let mut part = |wanted: bool, target: Var, [p, q]: [Var; 2], [tp, tq]: [bool; 2]| -> Result<Option<Var>> {
        if !wanted {
            return Ok(None);
        }
        let full = g.matmul(p, q, tp, tq)?;
        let full = g.rounded_last(full);
        let shape = g.shape(target).to_vec();
        g.sum_to(full, &shape).map(Some)
    };
    let da = if ta { part(needed(a), a, [b, d], [tb, true])? } else { part(needed(a), a, [d, b], [false, !tb])? };
    let db = if tb { part(needed(b), b, [d, a], [true, ta])? } else { part(needed(b), b, [a, d], [!ta, false])? };
    Ok(vec![da, db])
}

fn softmax_gradient(g: &mut Graph, y: Var, d: Var, log: bool) -> Result<Vec<Option<Var>>> {
    let last = g.shape(y).len() - 1;
    rule(g, &[y, d], |e| {
        let (y, d) = (e[0], e[1]);
        vec![Some(if log {
            d - y.map(crate::elementwise::Elementwise::Exp) * d.sum(&[last])
        } else {
            y * (d - (d * y).sum(&[last]))
        })]
    })
}

/// With x̂ = (x - μ)/√(σ²+ε): dx = γ/√(σ²+ε) (d - mean(d) - x̂ mean(d x̂)), dγ = Σ d x̂, dβ = Σ d (arXiv:1502.03167).
fn batch_norm_gradient(g: &mut Graph, inputs: &[Var], d: Var, eps: f64) -> Result<Vec<Option<Var>>> {
    let c = g.shape(inputs[3]).to_vec();
    let shape = g.shape(inputs[1]);
    let n = c[0] as f64 / crate::shape::count(shape) as f64;
    let axes: Vec<usize> = (0..shape.len() - 1).collect();
    let mut values = inputs[1..].to_vec();
    values.push(d);
    rule(g, &values, |e| {
        let (moments, scale) = (e[1], e[2]);
        let (x, d) = (e[0].like(moments), e[4].like(moments));
        let rstd = (moments.rows(1, 2) + eps).map(crate::elementwise::Elementwise::Rsqrt);
        let centred = x - moments.rows(0, 1);
        let d_scale = (d * (centred * rstd)).sum(&axes);
        let d_shift = d.sum(&axes);
        // What depends on the channel alone stands together, so that a plan computes it once a channel.
        let dx = (d - d_shift * n - centred * (rstd * (d_scale * n))) * (scale * rstd);
        vec![None, Some(dx.like(e[0])), None, Some(d_scale.view(&c)), Some(d_shift.view(&c))]
    })
}

/// The same over the last axes, without scale and shift.
fn standardize_gradient(g: &mut Graph, inputs: &[Var], d: Var, axes: usize, eps: f64) -> Result<Vec<Option<Var>>> {
    let mut along = g.shape(inputs[1]).to_vec();
    let lead = along.len() - axes;
    let n = 1.0 / crate::shape::count(&along[lead..]) as f64;
    along[lead..].fill(1);
    let reduced: Vec<usize> = (lead..along.len()).collect();
    rule(g, &[inputs[1], inputs[2], d], |e| {
        let moments = e[1];
        let (x, d) = (e[0].like(moments), e[2].like(moments));
        let rstd = (moments.rows(1, 2).view(&along) + eps).map(crate::elementwise::Elementwise::Rsqrt);
        let normal = (x - moments.rows(0, 1).view(&along)) * rstd;
        let mean = d.sum(&reduced) * n;
        let slope = (d * normal).sum(&reduced) * n;
        vec![None, Some(((d - mean - normal * slope) * rstd).like(e[0])), None]
    })
}
