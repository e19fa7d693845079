//! Reductions over axes, in whatever order these lie.

use chiaro_graph::{DType, Graph, ReduceKind, Var};

use super::movement::axes;
use crate::call::{Call, axis};
use crate::error::Result;
use crate::record::Recorder;
use crate::value::{Held, Order, Value};

pub(crate) fn record<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let given = axes(r, call, 1)?;
    let value = r.value(call, 0)?;
    let held = r.held(&value)?;
    let (var, order) = match held.order.clone() {
        Order::Axes(order) => (held.var, order),
        Order::Pixels(_) => (held.logical(r.graph())?, vec![0, 1]),
    };
    let rank = order.len();
    let reduced: Vec<usize> = match given.filter(|axes| !axes.is_empty()) {
        Some(axes) => axes.iter().map(|&a| axis(a, rank)).collect::<Result<_>>()?,
        None if call.flag("noop_with_empty_axes", false) => vec![],
        None => (0..rank).collect(),
    };
    let places: Vec<usize> = (0..rank).filter(|&i| reduced.contains(&order[i])).collect();
    let keep = call.flag("keepdims", true);
    let y = apply(r.graph(), call.proto.op_type(), var, &places)?;
    if keep {
        return Ok(vec![Value::Device(Held { var: y, order: Order::Axes(order) })]);
    }
    let left: Vec<usize> = order.iter().copied().filter(|a| !reduced.contains(a)).collect();
    let shape: Vec<usize> = (0..rank).filter(|i| !places.contains(i)).map(|i| r.graph().shape(y)[i]).collect();
    let y = r.graph().reshape(y, &shape)?;
    let order = left.iter().map(|a| left.iter().filter(|b| *b < a).count()).collect();
    Ok(vec![Value::Device(Held { var: y, order: Order::Axes(order) })])
}

/// A reduction over positions of the variable's axes, which stay with extent 1.
fn apply(g: &mut Graph, op: &str, x: Var, axes: &[usize]) -> Result<Var> {
    let dtype = g.dtype(x);
    let float = |g: &mut Graph, x: Var| g.cast(x, if dtype.is_float() { dtype } else { DType::F32 });
    Ok(match op {
        "ReduceSum" => g.sum(x, axes, true)?,
        "ReduceMean" if dtype.is_float() => g.mean(x, axes, true)?,
        "ReduceMean" => {
            let wide = float(g, x)?;
            let mean = g.mean(wide, axes, true)?;
            g.cast(mean, dtype)?
        }
        "ReduceMax" | "ReduceMin" => {
            let kind = if op == "ReduceMax" { ReduceKind::Max } else { ReduceKind::Min };
            let number = if dtype == DType::Bool { g.cast(x, DType::I32)? } else { x };
            let y = g.reduce(kind, number, axes, true)?;
            g.cast(y, dtype)?
        }
        "ReduceProd" => product(g, x, axes)?,
        "ReduceL1" => {
            let size = if dtype.is_float() {
                g.abs(x)?
            } else {
                let negative = g.mul(x, -1.0)?;
                g.maximum(x, negative)?
            };
            g.sum(size, axes, true)?
        }
        "ReduceSumSquare" => {
            let square = g.mul(x, x)?;
            g.sum(square, axes, true)?
        }
        "ReduceL2" => {
            let wide = float(g, x)?;
            let square = g.square(wide)?;
            let sum = g.sum(square, axes, true)?;
            let root = g.sqrt(sum)?;
            g.cast(root, dtype)?
        }
        "ReduceLogSum" => {
            let sum = g.sum(x, axes, true)?;
            g.log(sum)?
        }
        _ => {
            // The largest is taken out first, so that no power overflows.
            let wide = float(g, x)?;
            let largest = g.reduce(ReduceKind::Max, wide, axes, true)?;
            let below = g.sub(wide, largest)?;
            let powers = g.exp(below)?;
            let sum = g.sum(powers, axes, true)?;
            let log = g.log(sum)?;
            let y = g.add(log, largest)?;
            g.cast(y, dtype)?
        }
    })
}

/// Products by halving each axis.
fn product(g: &mut Graph, x: Var, axes: &[usize]) -> Result<Var> {
    let mut x = x;
    for &a in axes {
        while g.shape(x)[a] > 1 {
            let n = g.shape(x)[a];
            let (first, second) = (g.narrow(x, a, 0, n / 2)?, g.narrow(x, a, n / 2, n / 2 * 2)?);
            let halves = g.mul(first, second)?;
            x = if n.is_multiple_of(2) {
                halves
            } else {
                let last = g.narrow(x, a, n - 1, n)?;
                g.concat(&[halves, last], a)?
            };
        }
    }
    Ok(x)
}

pub(crate) fn arg<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let x = r.input(call, 0)?;
    let g = r.graph();
    let shape = g.shape(x).to_vec();
    let at = axis(call.int("axis", 0), shape.len())?;
    let kind = if call.proto.op_type() == "ArgMax" { ReduceKind::Max } else { ReduceKind::Min };
    let keep = call.flag("keepdims", true);
    if !call.flag("select_last_index", false) {
        let index = g.arg_reduce(kind, x, at, keep)?;
        return Ok(r.plain(index));
    }
    let (mut start, mut step) = (vec![0; shape.len()], vec![1; shape.len()]);
    (start[at], step[at]) = (shape[at] - 1, -1);
    let turned = g.slice(x, &start, &shape, &step)?;
    let index = g.arg_reduce(kind, turned, at, keep)?;
    let last = g.full(&[], (shape[at] - 1) as f64, DType::I32)?;
    let index = g.sub(last, index)?;
    Ok(r.plain(index))
}
