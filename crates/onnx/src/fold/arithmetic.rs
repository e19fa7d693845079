//! Arithmetic on the host: pointwise ops and reductions over few elements.

use std::sync::Arc;

use crate::call::{Call, axis};
use crate::error::{OnnxError, Result};
use crate::host::{Elem, Host, Values, check_made, count, strides};

/// The result of an arithmetic op; `None` for others.
pub(super) fn node(call: &Call<'_>, inputs: &[Option<&Host>]) -> Result<Option<Host>> {
    let op = call.proto.op_type();
    if let Some(x) = inputs.first().copied().flatten()
        && inputs.len() == 1
        && let Some(f) = unary(op)
    {
        let mut host = x.clone();
        host.values = match &x.values {
            Values::Floats(v) => Values::Floats(Arc::new(v.iter().map(|&x| f(f64::from(x)) as f32).collect())),
            Values::Ints(v) => Values::Ints(Arc::new(v.iter().map(|&x| f(x as f64) as i64).collect())),
            Values::Small(v) => Values::Ints(Arc::new(v.iter().map(|&x| f(f64::from(x)) as i64).collect())),
            Values::Hollow => return Ok(None),
        };
        return Ok(Some(host));
    }
    if let [Some(x), Some(y)] = inputs
        && let Some(result) = pair(op, x, y, call.room)?
    {
        return Ok(Some(result));
    }
    reduction(call, inputs)
}

fn unary(op: &str) -> Option<fn(f64) -> f64> {
    Some(match op {
        "Neg" => |x| -x,
        "Abs" => f64::abs,
        "Floor" => f64::floor,
        "Ceil" => f64::ceil,
        "Round" => f64::round_ties_even,
        "Sqrt" => f64::sqrt,
        "Exp" => f64::exp,
        "Log" => f64::ln,
        "Reciprocal" => |x| 1.0 / x,
        "Not" => |x| if x == 0.0 { 1.0 } else { 0.0 },
        _ => return None,
    })
}

/// Broadcasting of two tensors.
fn pair(op: &str, x: &Host, y: &Host, room: usize) -> Result<Option<Host>> {
    let to_bool = matches!(op, "Equal" | "Less" | "Greater" | "LessOrEqual" | "GreaterOrEqual");
    if !to_bool && !matches!(op, "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Min" | "Max" | "And" | "Or") {
        return Ok(None);
    }
    let shape = broadcast(&x.shape, &y.shape)?;
    check_made(&shape, x.len().max(y.len()), room)?;
    let (px, py) = (places(&x.shape, &shape), places(&y.shape, &shape));
    let float = x.elem.is_float() || y.elem.is_float();
    let elem = if to_bool { Elem::Bool } else { x.elem };
    let values = if float {
        let (vx, vy) = (x.to_floats()?, y.to_floats()?);
        let made = px.iter().zip(&py).map(|(&i, &j)| floats(op, f64::from(vx[i]), f64::from(vy[j])));
        if to_bool {
            Values::Ints(Arc::new(made.map(|v| v as i64).collect()))
        } else {
            Values::Floats(Arc::new(made.map(|v| v as f32).collect()))
        }
    } else {
        let (vx, vy) = (x.to_ints()?, y.to_ints()?);
        let made: Option<Vec<i64>> = px.iter().zip(&py).map(|(&i, &j)| ints(op, vx[i], vy[j])).collect();
        Values::Ints(Arc::new(made.ok_or_else(|| OnnxError::node("a whole number is divided by 0, or overflows"))?))
    };
    Ok(Some(Host { shape, elem, values }))
}

fn floats(op: &str, x: f64, y: f64) -> f64 {
    let truth = |b: bool| f64::from(u8::from(b));
    match op {
        "Add" => x + y,
        "Sub" => x - y,
        "Mul" => x * y,
        "Div" => x / y,
        "Mod" => x % y,
        "Pow" => x.powf(y),
        "Min" => x.min(y),
        "Max" => x.max(y),
        "Equal" => truth(x == y),
        "Less" => truth(x < y),
        "Greater" => truth(x > y),
        "LessOrEqual" => truth(x <= y),
        "GreaterOrEqual" => truth(x >= y),
        "And" => truth(x != 0.0 && y != 0.0),
        _ => truth(x != 0.0 || y != 0.0),
    }
}

fn ints(op: &str, x: i64, y: i64) -> Option<i64> {
    match op {
        "Add" => x.checked_add(y),
        "Sub" => x.checked_sub(y),
        "Mul" => x.checked_mul(y),
        "Div" => x.checked_div(y),
        "Mod" => x.checked_rem_euclid(y).map(|r| if y < 0 && r != 0 { r + y } else { r }),
        "Pow" => u32::try_from(y).ok().and_then(|y| x.checked_pow(y)),
        "Min" => Some(x.min(y)),
        "Max" => Some(x.max(y)),
        "Equal" => Some(i64::from(x == y)),
        "Less" => Some(i64::from(x < y)),
        "Greater" => Some(i64::from(x > y)),
        "LessOrEqual" => Some(i64::from(x <= y)),
        "GreaterOrEqual" => Some(i64::from(x >= y)),
        "And" => Some(i64::from(x != 0 && y != 0)),
        _ => Some(i64::from(x != 0 || y != 0)),
    }
}

/// Sums, products, largest and smallest over axes; of nothing too, which no graph has.
fn reduction(call: &Call<'_>, inputs: &[Option<&Host>]) -> Result<Option<Host>> {
    let op = call.proto.op_type();
    let (Some(x), true) = (inputs.first().copied().flatten(), op.starts_with("Reduce")) else { return Ok(None) };
    let given = inputs.get(1).copied().flatten().map(Host::to_ints).transpose()?.or_else(|| call.ints("axes"));
    let rank = x.shape.len();
    let axes = match given.filter(|axes| !axes.is_empty()) {
        Some(axes) => axes.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>>>()?,
        None if call.flag("noop_with_empty_axes", false) => vec![],
        None => (0..rank).collect(),
    };
    let kept: Vec<usize> = (0..rank).map(|a| if axes.contains(&a) { 1 } else { x.shape[a] }).collect();
    let empty = match op {
        "ReduceProd" => 1.0,
        "ReduceMax" => f64::NEG_INFINITY,
        "ReduceMin" => f64::INFINITY,
        _ => 0.0,
    };
    let mut sums = vec![empty; count(&kept)];
    let values = x.to_floats()?;
    for (value, place) in values.iter().zip(places(&kept, &x.shape)) {
        let (v, sum) = (f64::from(*value), &mut sums[place]);
        *sum = match op {
            "ReduceSum" | "ReduceMean" | "ReduceLogSum" => *sum + v,
            "ReduceProd" => *sum * v,
            "ReduceMax" => sum.max(v),
            "ReduceMin" => sum.min(v),
            "ReduceL1" => *sum + v.abs(),
            "ReduceL2" | "ReduceSumSquare" => *sum + v * v,
            "ReduceLogSumExp" => *sum + v.exp(),
            _ => return Ok(None),
        };
    }
    let n = (values.len() / sums.len().max(1)) as f64;
    let last = |v: f64| match op {
        "ReduceMean" => v / n,
        "ReduceL2" => v.sqrt(),
        "ReduceLogSum" | "ReduceLogSumExp" => v.ln(),
        _ => v,
    };
    let shape: Vec<usize> = if call.flag("keepdims", true) {
        kept
    } else {
        (0..rank).filter(|a| !axes.contains(a)).map(|a| x.shape[a]).collect()
    };
    let values = if x.elem.is_float() {
        Values::Floats(Arc::new(sums.into_iter().map(|v| last(v) as f32).collect()))
    } else {
        Values::Ints(Arc::new(sums.into_iter().map(|v| last(v) as i64).collect()))
    };
    Ok(Some(Host { shape, elem: x.elem, values }))
}

/// The extents that two broadcast to.
pub(crate) fn broadcast(x: &[usize], y: &[usize]) -> Result<Vec<usize>> {
    let rank = x.len().max(y.len());
    let at = |s: &[usize], i: usize| if i + s.len() < rank { 1 } else { s[i + s.len() - rank] };
    let extent = |i: usize| match (at(x, i), at(y, i)) {
        (a, b) if a == b => Some(a),
        (1, b) => Some(b),
        (a, 1) => Some(a),
        _ => None,
    };
    let shape: Option<Vec<usize>> = (0..rank).map(extent).collect();
    shape.ok_or_else(|| OnnxError::node(format!("{x:?} and {y:?} do not broadcast")))
}

/// For each element of `shape` the flat position in a tensor that broadcasts to it.
pub(super) fn places(own: &[usize], shape: &[usize]) -> Vec<usize> {
    let lead = shape.len() - own.len();
    let mut steps = vec![0; shape.len()];
    for (i, (&n, s)) in own.iter().zip(strides(own)).enumerate() {
        steps[lead + i] = if n == 1 { 0 } else { s };
    }
    let all = strides(shape);
    (0..count(shape)).map(|flat| (0..shape.len()).map(|i| flat / all[i] % shape[i] * steps[i]).sum()).collect()
}
