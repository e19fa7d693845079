//! Ops that take parts of values and put them together; they keep the order of the axes.

use chiaro_graph::{Tensor, Var};

use crate::call::{Call, axis};
use crate::error::{OnnxError, Result};
use crate::extents::slice_of;
use crate::host::{Elem, Host};
use crate::record::Recorder;
use crate::value::{Held, Order, Value};

/// A value whose order is of axes, with the place of each of ONNX' axes in it.
fn placed<'a>(r: &mut Recorder<'a>, call: &Call<'a>, i: usize) -> Result<(Held, Vec<usize>)> {
    let value = r.value(call, i)?;
    let mut held = r.held(&value)?;
    if let Order::Pixels(_) = held.order {
        let var = held.logical(r.graph())?;
        held = Held::plain(r.graph(), var);
    }
    let Order::Axes(axes) = &held.order else { return r.fault("an order of axes is wanted") };
    let places = (0..axes.len()).map(|a| axes.iter().position(|x| *x == a).unwrap_or(a)).collect();
    Ok((held, places))
}

pub(crate) fn slice<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let given = |r: &Recorder<'a>, i: usize, name: &str| -> Result<Option<Vec<i64>>> {
        Ok(match r.known_if(call, i)? {
            Some(host) => Some(host.to_ints()?),
            None => call.ints(name),
        })
    };
    let (starts, ends) = (given(r, 1, "starts")?, given(r, 2, "ends")?);
    let (axes, steps) = (given(r, 3, "axes")?, given(r, 4, "steps")?);
    let (held, places) = placed(r, call, 0)?;
    let shape = held.shape(r.graph());
    let cuts = slice_of(&shape, starts, ends, axes, steps)?;
    let rank = shape.len();
    let extents: Vec<usize> = cuts.iter().map(|cut| cut.len).collect();
    if extents.contains(&0) {
        return Ok(vec![nothing(r, held.var, &extents)]);
    }
    let (mut start, mut len, mut step) = (vec![0; rank], vec![0; rank], vec![1; rank]);
    for (a, cut) in cuts.iter().enumerate() {
        let at = places[a];
        (start[at], len[at], step[at]) = (cut.start.max(0) as usize, cut.len, cut.step as isize);
    }
    let var = r.graph().slice(held.var, &start, &len, &step)?;
    Ok(vec![Value::Device(Held { var, order: held.order })])
}

/// A tensor without elements, which no graph holds.
fn nothing(r: &mut Recorder<'_>, like: Var, extents: &[usize]) -> Value {
    let elem = Elem::of_graph(r.graph().dtype(like));
    let empty = if elem.is_float() { Host::floats(extents, vec![]) } else { Host::ints(extents, vec![]) };
    Value::Host(Host { elem, ..empty })
}

pub(crate) fn split<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let sizes = match r.known_if(call, 1)? {
        Some(host) => Some(host.to_ints()?),
        None => call.ints("split"),
    };
    if let (Value::Host(host), Some(sizes)) = (r.value(call, 0)?, &sizes)
        && host.is_empty()
    {
        let at = axis(call.int("axis", 0), host.shape.len())?;
        let part = |&n: &i64| {
            let shape = host.shape.iter().enumerate().map(|(a, &e)| if a == at { n.max(0) as usize } else { e });
            Value::Host(Host { shape: shape.collect(), ..host.clone() })
        };
        return Ok(sizes.iter().map(part).collect());
    }
    let (held, places) = placed(r, call, 0)?;
    let shape = held.shape(r.graph());
    let at = axis(call.int("axis", 0), shape.len())?;
    let outputs = call.proto.output.len();
    let parts = call.int("num_outputs", outputs as i64);
    if parts != outputs as i64 {
        return r.fault(format!("num_outputs is {parts}, but it has {outputs} outputs"));
    }
    let each = shape[at].div_ceil(outputs.max(1));
    let sizes: Vec<usize> = match sizes {
        Some(sizes) => sizes.iter().map(|&n| n.max(0) as usize).collect(),
        None => (0..outputs).map(|i| each.min(shape[at].saturating_sub(i * each))).collect(),
    };
    if sizes.iter().sum::<usize>() != shape[at] || sizes.len() < outputs {
        return r.fault(format!("{sizes:?} are no parts of {}", shape[at]));
    }
    let (mut from, mut results) = (0, vec![]);
    for &size in sizes.iter().take(outputs) {
        if size == 0 {
            let mut extents = shape.clone();
            extents[at] = 0;
            results.push(nothing(r, held.var, &extents));
            continue;
        }
        let var = r.graph().narrow(held.var, places[at], from, from + size)?;
        results.push(Value::Device(Held { var, order: held.order.clone() }));
        from += size;
    }
    Ok(results)
}

pub(crate) fn concat<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    // Empty parts give nothing, and no graph holds them.
    let mut values = vec![];
    for i in 0..call.inputs() {
        let value = r.value(call, i)?;
        if !r.shape(&value).contains(&0) {
            values.push(value);
        }
    }
    let order = values.iter().find_map(|v| match v {
        Value::Device(Held { order: Order::Axes(axes), .. }) => Some(axes.clone()),
        Value::Device(_) | Value::Host(_) => None,
    });
    let rank = values.first().map(|v| r.shape(v).len()).unwrap_or(0);
    let order = order.unwrap_or_else(|| (0..rank).collect());
    let at = axis(call.int("axis", 0), rank)?;
    let mut vars = vec![];
    for value in &values {
        let held = r.held(value)?;
        vars.push(held.ordered(r.graph(), &order)?);
    }
    let place = order.iter().position(|&a| a == at).unwrap_or(at);
    let var = r.graph().concat(&vars, place)?;
    Ok(vec![Value::Device(Held { var, order: Order::Axes(order) })])
}

pub(crate) fn pad<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let (held, places) = placed(r, call, 0)?;
    let rank = places.len();
    let pads = match call.ints("pads").or_else(|| call.ints("paddings")) {
        Some(pads) => pads,
        None => r.known(call, 1)?.to_ints()?,
    };
    let axes = match r.known_if(call, 3)? {
        Some(host) => host.to_ints()?.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>>>()?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return r.fault(format!("{pads:?} are not two numbers an axis"));
    }
    let value = match r.known_if(call, 2)? {
        Some(host) if !host.is_empty() => host.scalar()?,
        Some(_) | None => call.float("value", 0.0),
    };
    let mode = call.text("mode", "constant");
    let mut var = held.var;
    for (i, &a) in axes.iter().enumerate() {
        var = padded(r, var, places[a], [pads[i], pads[axes.len() + i]], &mode, value)?;
    }
    Ok(vec![Value::Device(Held { var, order: held.order })])
}

/// One axis; negative amounts cut.
fn padded(r: &mut Recorder<'_>, x: Var, at: usize, [low, high]: [i64; 2], mode: &str, value: f64) -> Result<Var> {
    const MOST: i64 = 1 << 40;
    let n = r.graph().shape(x)[at] as i64;
    if low.saturating_abs() > MOST || high.saturating_abs() > MOST {
        return Err(OnnxError::node(format!("padding {low} and {high} is more than any memory")));
    }
    if low + high + n <= 0 || -low >= n || -high >= n {
        return Err(OnnxError::node(format!("padding {low} and {high} leaves nothing of {n}")));
    }
    if mode == "constant" || (low <= 0 && high <= 0) {
        let g = r.graph();
        let x = g.narrow(x, at, (-low).max(0) as usize, (n + high.min(0)) as usize)?;
        let rank = g.shape(x).len();
        let (mut front, mut behind) = (vec![0; rank], vec![0; rank]);
        (front[at], behind[at]) = (low.max(0) as usize, high.max(0) as usize);
        return Ok(g.pad(x, &front, &behind, value)?);
    }
    let source = |i: i64| match mode {
        "edge" => i.clamp(0, n - 1),
        "wrap" => i.rem_euclid(n),
        _ if n == 1 => 0,
        _ => {
            let period = 2 * (n - 1);
            let place = i.rem_euclid(period);
            if place < n { place } else { period - place }
        }
    };
    // Before they are made.
    r.spend((low + high + n) as usize * size_of::<i32>())?;
    let g = r.graph();
    let rows: Vec<i32> = (-low..n + high).map(|i| source(i) as i32).collect();
    let index = Tensor::i32([rows.len()], rows).ok_or_else(|| OnnxError::node("no rows"))?;
    let index = g.constant(index)?;
    Ok(g.index_select(x, index, at)?)
}
