//! Normalisation and softmax.

use chiaro_graph::{DType, Elementwise, Graph, ReduceKind, Var};

use crate::call::{Call, axis};
use crate::error::{OnnxError, Result};
use crate::record::Recorder;
use crate::sink::NormNumbers;
use crate::value::{Held, Order, Value};

/// Mean and biased variance over some axes, which stay with extent 1.
fn statistics(g: &mut Graph, x: Var, axes: &[usize]) -> Result<(Var, Var)> {
    Ok((g.mean(x, axes, true)?, g.var(x, axes, true, 0.0)?))
}

pub(crate) fn batch<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let x = r.image(call, 0)?;
    // The attribute is the share of the old statistics.
    let numbers = NormNumbers { eps: call.float("epsilon", 1e-5), momentum: 1.0 - call.float("momentum", 0.9) };
    let given: Vec<Value> = (1..5).map(|i| r.value(call, i)).collect::<Result<_>>()?;
    if call.flag("training_mode", false) {
        return batch_in_training(r, call, x, numbers);
    }
    let known: Vec<_> =
        given.iter().filter_map(|v| if let Value::Host(h) = v { Some(h.clone()) } else { None }).collect();
    let y = match <[_; 4]>::try_from(known) {
        Ok(values) => {
            let names = [1, 2, 3, 4].map(|i| r.name(call.input(i).unwrap_or_default(), &[]));
            r.sink.batch_norm(x, &names, &values, numbers)?
        }
        Err(_) => {
            let vars: Vec<Var> = given.iter().map(|v| r.var(v)).collect::<Result<_>>()?;
            r.graph().normalise(x, vars[2], vars[3], Some(vars[0]), Some(vars[1]), numbers.eps)?
        }
    };
    Ok(r.last(y))
}

/// The batch's own statistics, and the running ones after it.
fn batch_in_training<'a>(r: &mut Recorder<'a>, call: &Call<'a>, x: Var, numbers: NormNumbers) -> Result<Vec<Value>> {
    let given: Vec<Var> = (1..5).map(|i| r.input(call, i)).collect::<Result<_>>()?;
    let g = r.graph();
    let c = g.shape(given[0]).to_vec();
    let axes: Vec<usize> = (0..g.shape(x).len() - 1).collect();
    let (mean, variance) = statistics(g, x, &axes)?;
    let y = g.normalise(x, mean, variance, Some(given[0]), Some(given[1]), numbers.eps)?;
    let mut running = vec![];
    for (old, new) in [(given[2], mean), (given[3], variance)] {
        let new = g.reshape(new, &c)?;
        let (old, new) = (g.mul(old, 1.0 - numbers.momentum)?, g.mul(new, numbers.momentum)?);
        running.push(g.add(old, new)?);
    }
    let mut results = r.last(y);
    for v in running {
        results.extend(r.plain(v));
    }
    Ok(results)
}

pub(crate) fn layer<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let x = r.input(call, 0)?;
    let shape = r.graph().shape(x).to_vec();
    let first = axis(call.int("axis", -1), shape.len())?;
    let (axes, eps) = (shape.len() - first, call.float("epsilon", 1e-5));
    let scale = r.parameter(call, 1, &[])?;
    let shift = if call.input(2).is_some() { Some(r.parameter(call, 2, &[])?) } else { None };
    let g = r.graph();
    let fits = |g: &Graph, v: Var| g.shape(v) == &shape[first..] && g.dtype(v) == g.dtype(x);
    let y = if fits(g, scale) && shift.is_none_or(|s| fits(g, s)) {
        g.layer_norm(x, axes, Some(scale), shift, eps)?
    } else {
        let stored = g.dtype(x);
        let y = g.layer_norm(x, axes, None, None, eps)?;
        let y = g.cast(y, DType::F32)?;
        let mut y = g.mul(y, scale)?;
        if let Some(shift) = shift {
            y = g.add(y, shift)?;
        }
        g.cast(y, stored)?
    };
    let mut results = r.plain(y);
    if call.wants(1) || call.wants(2) {
        let g = r.graph();
        let (mean, variance) = statistics(g, x, &(first..shape.len()).collect::<Vec<_>>())?;
        let inverse = g.add(variance, eps)?;
        let inverse = g.rsqrt(inverse)?;
        results.extend(r.plain(mean));
        results.extend(r.plain(inverse));
    }
    Ok(results)
}

pub(crate) fn rms<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let x = r.input(call, 0)?;
    let rank = r.graph().shape(x).len();
    let first = axis(call.int("axis", -1), rank)?;
    let scale = r.parameter(call, 1, &[])?;
    let g = r.graph();
    let square = g.square(x)?;
    let mean = g.mean(square, &(first..rank).collect::<Vec<_>>(), true)?;
    let below = g.add(mean, call.float("epsilon", 1e-5))?;
    let factor = g.rsqrt(below)?;
    let y = g.mul(x, factor)?;
    let y = g.mul(y, scale)?;
    Ok(r.plain(y))
}

pub(crate) fn instance<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let x = r.image(call, 0)?;
    let (scale, shift) = (r.parameter(call, 1, &[])?, r.parameter(call, 2, &[])?);
    let g = r.graph();
    let rank = g.shape(x).len();
    let (mean, variance) = statistics(g, x, &(1..rank - 1).collect::<Vec<_>>())?;
    let y = g.normalise(x, mean, variance, Some(scale), Some(shift), call.float("epsilon", 1e-5))?;
    Ok(r.last(y))
}

pub(crate) fn group<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let x = r.image(call, 0)?;
    let groups = usize::try_from(call.int("num_groups", 1)).map_err(|_| OnnxError::node("negative groups"))?;
    let (scale, shift) = (r.parameter(call, 1, &[])?, r.parameter(call, 2, &[])?);
    let g = r.graph();
    let c = g.shape(x).last().copied().unwrap_or(0);
    // Until opset 20 there was one scale a group.
    let mut each = |v: Var| -> Result<Var> {
        if g.shape(v) != [groups] || groups == c {
            return Ok(v);
        }
        let column = g.reshape(v, &[groups, 1])?;
        let wide = g.broadcast_to(column, &[groups, c / groups])?;
        Ok(g.reshape(wide, &[c])?)
    };
    let (scale, shift) = (each(scale)?, each(shift)?);
    let y = g.group_norm(x, groups, Some(scale), Some(shift), call.float("epsilon", 1e-5))?;
    Ok(r.last(y))
}

pub(crate) fn softmax<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    along(r, call, |g, x, at| Ok(g.softmax(x, at, call.proto.op_type() == "LogSoftmax")?))
}

pub(crate) fn hardmax<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    along(r, call, |g, x, at| {
        let index = g.arg_reduce(ReduceKind::Max, x, at, true)?;
        let mut positions = vec![1; g.shape(x).len()];
        positions[at] = g.shape(x)[at];
        let all = g.iota(positions[at])?;
        let all = g.reshape(all, &positions)?;
        let hit = g.map(Elementwise::Equal, &[all, index])?;
        let dtype = g.dtype(x);
        Ok(g.cast(hit, dtype)?)
    })
}

/// An op along one axis; before 13 along all axes from it on, taken as one.
fn along<'a>(
    r: &mut Recorder<'a>,
    call: &Call<'a>,
    op: impl Fn(&mut Graph, Var, usize) -> Result<Var>,
) -> Result<Vec<Value>> {
    let value = r.value(call, 0)?;
    let held = r.held(&value)?;
    let shape = held.shape(r.graph());
    let old = call.opset < 13;
    let at = axis(call.int("axis", if old { 1 } else { -1 }), shape.len())?;
    if let (Order::Axes(axes), false) = (&held.order, old) {
        let physical = axes.iter().position(|&a| a == at).unwrap_or(at);
        let var = op(r.graph(), held.var, physical)?;
        return Ok(vec![Value::Device(Held { var, order: held.order })]);
    }
    let x = held.logical(r.graph())?;
    if !old {
        let y = op(r.graph(), x, at)?;
        return Ok(r.plain(y));
    }
    let rows: usize = shape[..at].iter().product();
    let g = r.graph();
    let flat = g.reshape(x, &[rows, shape[at..].iter().product()])?;
    let y = op(g, flat, 1)?;
    let y = g.reshape(y, &shape)?;
    Ok(r.plain(y))
}
