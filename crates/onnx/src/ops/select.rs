//! Ops that select by index or by rank.

use chiaro_graph::{DType, Elementwise, Graph, ReduceKind, Tensor, Var};

use crate::call::{Call, axis};
use crate::error::{OnnxError, Result};
use crate::record::Recorder;
use crate::value::Value;

/// The most elements that TopK gives: each takes a pass over the axis.
const MOST: usize = 128;

/// Indices as i32 from 0 on, where ONNX counts some from the end.
fn from_start(g: &mut Graph, index: Var, extent: usize) -> Result<Var> {
    let index = g.cast(index, DType::I32)?;
    let negative = g.less(index, 0.0)?;
    let turned = g.add(index, extent as f64)?;
    Ok(g.where_(negative, turned, index)?)
}

/// The same of an input; fixed ones are checked here.
fn indices<'a>(r: &mut Recorder<'a>, call: &Call<'a>, i: usize, extent: usize) -> Result<Var> {
    match r.value(call, i)? {
        Value::Host(host) => {
            let n = extent as i64;
            let at: Vec<i32> = host.to_ints()?.iter().map(|&i| (if i < 0 { i + n } else { i }) as i32).collect();
            let tensor = Tensor::i32(host.shape.clone(), at).ok_or_else(|| OnnxError::node("no indices"))?;
            r.constant(tensor)
        }
        value @ Value::Device(_) => {
            let index = r.var(&value)?;
            from_start(r.graph(), index, extent)
        }
    }
}

pub(crate) fn gather<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let index = r.value(call, 1)?;
    let chosen = r.shape(&index);
    let x = match r.value(call, 0)? {
        Value::Host(host) if host.elem.is_float() => r.parameter(call, 0, &[])?,
        value => r.var(&value)?,
    };
    let shape = r.graph().shape(x).to_vec();
    let at = axis(call.int("axis", 0), shape.len())?;
    let out = [&shape[..at], &chosen[..], &shape[at + 1..]].concat();
    if let (Value::Host(host), true) = (&index, chosen.iter().product::<usize>() == 1) {
        let i = host.to_ints()?[0];
        let i = axis(i, shape[at]).map_err(|_| OnnxError::node(format!("there is no element {i} of {}", shape[at])))?;
        let y = r.graph().narrow(x, at, i, i + 1)?;
        let y = r.graph().reshape(y, &out)?;
        return Ok(r.plain(y));
    }
    let index = indices(r, call, 1, shape[at])?;
    let g = r.graph();
    let flat = g.reshape(index, &[chosen.iter().product()])?;
    let y = g.index_select(x, flat, at)?;
    let y = g.reshape(y, &out)?;
    Ok(r.plain(y))
}

pub(crate) fn gather_elements<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let x = r.input(call, 0)?;
    let shape = r.graph().shape(x).to_vec();
    let at = axis(call.int("axis", 0), shape.len())?;
    let index = indices(r, call, 1, shape[at])?;
    let g = r.graph();
    if g.shape(index).len() != shape.len() {
        return Err(OnnxError::node(format!("takes an index of {} axes, as its values have", shape.len())));
    }
    let mut x = x;
    for a in (0..shape.len()).filter(|&a| a != at) {
        let n = g.shape(index)[a];
        x = g.narrow(x, a, 0, n)?;
    }
    let y = g.gather(x, index, at)?;
    Ok(r.plain(y))
}

pub(crate) fn one_hot<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let depth = r.known(call, 1)?.to_ints()?.first().copied().unwrap_or(0);
    let depth = usize::try_from(depth).ok().filter(|&d| d > 0);
    let depth = depth.ok_or_else(|| OnnxError::node("the depth must be positive"))?;
    let (index, values) = (r.input(call, 0)?, r.input(call, 2)?);
    let g = r.graph();
    let index = from_start(g, index, depth)?;
    let mut shape = g.shape(index).to_vec();
    let at = axis(call.int("axis", -1), shape.len() + 1)?;
    shape.insert(at, 1);
    let index = g.reshape(index, &shape)?;
    let mut along = vec![1; shape.len()];
    along[at] = depth;
    let all = g.iota(depth)?;
    let all = g.reshape(all, &along)?;
    let hit = g.map(Elementwise::Equal, &[index, all])?;
    let off = g.narrow(values, 0, 0, 1)?;
    let on = g.narrow(values, 0, 1, 2)?;
    let (off, on) = (g.reshape(off, &[])?, g.reshape(on, &[])?);
    let y = g.where_(hit, on, off)?;
    Ok(r.plain(y))
}

pub(crate) fn top_k<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let k = if call.opset < 10 { call.int("k", 1) } else { r.known(call, 1)?.to_ints()?.first().copied().unwrap_or(0) };
    let x = r.input(call, 0)?;
    let g = r.graph();
    let shape = g.shape(x).to_vec();
    let at = axis(call.int("axis", -1), shape.len())?;
    let k = usize::try_from(k).ok().filter(|&k| k > 0 && k <= shape[at] && k <= MOST);
    let k = k.ok_or_else(|| OnnxError::node(format!("k must be from 1 to {}", shape[at].min(MOST))))?;
    let largest = call.flag("largest", true);
    let dtype = g.dtype(x);
    let kind = if largest { ReduceKind::Max } else { ReduceKind::Min };
    // What was taken counts as the least that there is.
    let least = match (largest, dtype.is_float()) {
        (true, true) => f64::NEG_INFINITY,
        (false, true) => f64::INFINITY,
        (true, false) => f64::from(i32::MIN),
        (false, false) => f64::from(i32::MAX),
    };
    let mut along = vec![1; shape.len()];
    along[at] = shape[at];
    let positions = g.iota(shape[at])?;
    let positions = g.reshape(positions, &along)?;
    let (mut rest, mut values, mut indices) = (x, vec![], vec![]);
    for _ in 0..k {
        let index = g.arg_reduce(kind, rest, at, true)?;
        values.push(g.gather(x, index, at)?);
        indices.push(index);
        let hit = g.map(Elementwise::Equal, &[positions, index])?;
        rest = g.where_(hit, least, rest)?;
    }
    let (values, indices) = (g.concat(&values, at)?, g.concat(&indices, at)?);
    let mut results = r.plain(values);
    results.extend(r.plain(indices));
    Ok(results)
}

/// The triangle above or below a diagonal.
pub(crate) fn trilu<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let k = r.known_if(call, 1)?.map(|h| h.to_ints()).transpose()?.and_then(|v| v.first().copied()).unwrap_or(0);
    let x = r.input(call, 0)?;
    let g = r.graph();
    let shape = g.shape(x).to_vec();
    let [.., rows, columns] = shape[..] else { return Err(OnnxError::node("a matrix is wanted")) };
    let upper = call.flag("upper", true);
    let keeps = |i: usize, j: usize| {
        let distance = j as i64 - i as i64;
        f64::from(u8::from(if upper { distance >= k } else { distance <= k }))
    };
    let mask: Vec<f64> = (0..rows).flat_map(|i| (0..columns).map(move |j| keeps(i, j))).collect();
    let mask = Tensor::from_f64([rows, columns], DType::Bool, &mask).ok_or_else(|| OnnxError::node("no matrix"))?;
    let mask = g.constant(mask)?;
    let dtype = g.dtype(x);
    let zero = g.scalar(0.0, dtype)?;
    let y = if dtype == DType::Bool { g.and(mask, x)? } else { g.where_(mask, x, zero)? };
    Ok(r.plain(y))
}

/// Sums of all elements up to each, by doubling steps.
pub(crate) fn cum_sum<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let at = r.known(call, 1)?.to_ints()?.first().copied().unwrap_or(0);
    let x = r.input(call, 0)?;
    let g = r.graph();
    let rank = g.shape(x).len();
    let at = axis(at, rank)?;
    let n = g.shape(x)[at];
    let (reverse, exclusive) = (call.flag("reverse", false), call.flag("exclusive", false));
    let shifted = |g: &mut Graph, x: Var, by: usize| -> Result<Var> {
        let (mut low, mut high) = (vec![0; rank], vec![0; rank]);
        (if reverse { &mut high } else { &mut low })[at] = by;
        let wide = g.pad(x, &low, &high, 0.0)?;
        Ok(if reverse { g.narrow(wide, at, by, by + n)? } else { g.narrow(wide, at, 0, n)? })
    };
    let mut y = if exclusive { shifted(g, x, 1)? } else { x };
    let mut by = 1;
    while by < n {
        let before = shifted(g, y, by)?;
        y = g.add(y, before)?;
        by *= 2;
    }
    Ok(r.plain(y))
}
