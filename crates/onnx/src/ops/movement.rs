//! Ops that change extents and the order of axes.

use chiaro_graph::DType;

use crate::call::{Call, axis};
use crate::error::{OnnxError, Result};
use crate::extents::{reshaped, squeezed, unsqueezed};
use crate::fold::{broadcast, shape_range};
use crate::host::{Host, count};
use crate::record::Recorder;
use crate::tensor;
use crate::value::{Held, Order, Value};

/// Axes of an op: an input in later versions, an attribute before.
pub(super) fn axes<'a>(r: &Recorder<'a>, call: &Call<'a>, i: usize) -> Result<Option<Vec<i64>>> {
    Ok(match r.known_if(call, i)? {
        Some(host) => Some(host.to_ints()?),
        None => call.ints("axes"),
    })
}

/// An op that only fixed inputs can have.
pub(crate) fn fixed<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    for i in 0..call.inputs() {
        r.known_if(call, i)?;
    }
    r.fault("its value is of a kind that is not supported")
}

/// One number everywhere: where it is known before, the interpreter makes it, unless it is large.
pub(crate) fn constant_of_shape<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let shape: Vec<usize> = r.known(call, 0)?.to_ints()?.iter().map(|&n| n.max(0) as usize).collect();
    let value = call.tensor("value").map(tensor::host).transpose()?;
    let number = value.map_or(Ok(0.0), |host| host.scalar())?;
    let var = r.graph().full(&shape, number, DType::F32)?;
    Ok(r.plain(var))
}

/// The same elements under other extents.
fn view<'a>(r: &mut Recorder<'a>, call: &Call<'a>, shape: &[usize]) -> Result<Vec<Value>> {
    let value = r.value(call, 0)?;
    if let Value::Host(host) = &value {
        return Ok(vec![Value::Host(host.reshaped(shape)?)]);
    }
    let held = r.held(&value)?;
    if let (Order::Axes(axes), &[rows, columns]) = (&held.order, shape) {
        let own = r.graph().shape(held.var).to_vec();
        // Pixels that become features stay where they are: the matrix behind them is permuted instead.
        if let (&[n, h, w, c], true) = (&own[..], axes == &[0, 2, 3, 1])
            && n == rows
            && columns == h * w * c
            && h * w > 1
            && c > 1
        {
            let var = r.graph().reshape(held.var, shape)?;
            return Ok(vec![Value::Device(Held { var, order: Order::Pixels([h, w, c]) })]);
        }
    }
    let x = held.logical(r.graph())?;
    let y = r.graph().reshape(x, shape)?;
    Ok(r.plain(y))
}

pub(crate) fn reshape<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let wanted = match call.ints("shape") {
        Some(shape) => shape,
        None => r.known(call, 1)?.to_ints()?,
    };
    let value = r.value(call, 0)?;
    let own = r.shape(&value);
    let zeros = call.flag("allowzero", false);
    let shape = reshaped(&own, &wanted, zeros).or_else(|fault| {
        // A file that was made for a fixed number of images names it; others are given here.
        let (Some((made, given)), Some((&first, rest))) = (r.batch, wanted.split_first()) else { return Err(fault) };
        if first != made as i64 {
            return Err(fault);
        }
        reshaped(&own, &[&[given as i64], rest].concat(), zeros).map_err(|_| fault)
    })?;
    view(r, call, &shape)
}

pub(crate) fn flatten<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let value = r.value(call, 0)?;
    let own = r.shape(&value);
    let at = call.int("axis", 1);
    let at = if at < 0 { at + own.len() as i64 } else { at };
    let at = usize::try_from(at).ok().filter(|&a| a <= own.len());
    let at = at.ok_or_else(|| OnnxError::node(format!("there is no axis to flatten {own:?} at")))?;
    view(r, call, &[count(&own[..at]), count(&own[at..])])
}

pub(crate) fn squeeze<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let axes = axes(r, call, 1)?;
    let value = r.value(call, 0)?;
    let shape = squeezed(&r.shape(&value), axes.as_deref())?;
    view(r, call, &shape)
}

pub(crate) fn unsqueeze<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let axes = axes(r, call, 1)?.unwrap_or_default();
    let value = r.value(call, 0)?;
    let shape = unsqueezed(&r.shape(&value), &axes)?;
    view(r, call, &shape)
}

/// No element moves: the value is told to lie in another order.
pub(crate) fn transpose<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let value = r.value(call, 0)?;
    let held = r.held(&value)?;
    let rank = held.shape(r.graph()).len();
    let perm = call.ints("perm").unwrap_or_else(|| (0..rank as i64).rev().collect());
    let perm: Vec<usize> = perm.iter().map(|&a| axis(a, rank)).collect::<Result<_>>()?;
    let mut sorted = perm.clone();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..rank) {
        return r.fault(format!("{perm:?} is no permutation of {rank} axes"));
    }
    let (var, axes) = match held.order {
        Order::Axes(axes) => (held.var, axes),
        Order::Pixels(_) => (held.logical(r.graph())?, vec![0, 1]),
    };
    // Axis i of the result is axis perm[i] of the operand.
    let order = axes.iter().map(|old| perm.iter().position(|p| p == old).unwrap_or(0)).collect();
    Ok(vec![Value::Device(Held { var, order: Order::Axes(order) })])
}

pub(crate) fn expand<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let wanted: Vec<usize> = r.known(call, 1)?.to_ints()?.iter().map(|&n| n.max(0) as usize).collect();
    let x = r.input(call, 0)?;
    let shape = broadcast(r.graph().shape(x), &wanted)?;
    let y = r.graph().broadcast_to(x, &shape)?;
    Ok(r.plain(y))
}

pub(crate) fn tile<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let times: Vec<usize> = r.known(call, 1)?.to_ints()?.iter().map(|&n| n.max(0) as usize).collect();
    let x = r.input(call, 0)?;
    let g = r.graph();
    let own = g.shape(x).to_vec();
    if times.len() != own.len() {
        return Err(OnnxError::node(format!("{times:?} are not one number an axis of {own:?}")));
    }
    let before: Vec<usize> = own.iter().flat_map(|&n| [1, n]).collect();
    let wide: Vec<usize> = own.iter().zip(&times).flat_map(|(&n, &t)| [t, n]).collect();
    let after: Vec<usize> = own.iter().zip(&times).map(|(n, t)| n * t).collect();
    let y = g.reshape(x, &before)?;
    let y = g.broadcast_to(y, &wide)?;
    let y = g.reshape(y, &after)?;
    Ok(r.plain(y))
}

pub(crate) fn shape<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let value = r.value(call, 0)?;
    let shape = r.shape(&value);
    let range = shape_range(call, shape.len());
    Ok(vec![Value::Host(Host::ints(&[range.len()], range.map(|i| shape[i] as i64).collect()))])
}

pub(crate) fn size<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let value = r.value(call, 0)?;
    let n = count(&r.shape(&value));
    Ok(vec![Value::Host(Host::ints(&[], vec![n as i64]))])
}

/// The edge of a block of pixels, and an image `[N,H,W,C]`.
fn blocks<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<(usize, chiaro_graph::Var, [usize; 4])> {
    let b = usize::try_from(call.int("blocksize", 0)).ok().filter(|&b| b > 0);
    let b = b.ok_or_else(|| OnnxError::node("the block size must be positive"))?;
    let x = r.image(call, 0)?;
    let shape = r.graph().shape(x).to_vec();
    let shape = <[usize; 4]>::try_from(shape).map_err(|s| OnnxError::node(format!("{s:?} is no image")))?;
    Ok((b, x, shape))
}

pub(crate) fn depth_to_space<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let (b, x, [n, h, w, c]) = blocks(r, call)?;
    let depth = c / (b * b);
    let g = r.graph();
    let moved = if call.text("mode", "DCR") == "DCR" {
        let parts = g.reshape(x, &[n, h, w, b, b, depth])?;
        g.transpose(parts, &[0, 1, 3, 2, 4, 5])?
    } else {
        let parts = g.reshape(x, &[n, h, w, depth, b, b])?;
        g.transpose(parts, &[0, 1, 4, 2, 5, 3])?
    };
    let y = g.reshape(moved, &[n, h * b, w * b, depth])?;
    Ok(r.last(y))
}

pub(crate) fn space_to_depth<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let (b, x, [n, h, w, c]) = blocks(r, call)?;
    let g = r.graph();
    let parts = g.reshape(x, &[n, h / b, b, w / b, b, c])?;
    let moved = g.transpose(parts, &[0, 1, 3, 2, 4, 5])?;
    let y = g.reshape(moved, &[n, h / b, w / b, b * b * c])?;
    Ok(r.last(y))
}
