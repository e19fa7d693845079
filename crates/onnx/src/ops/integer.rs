//! Products of 8-bit integers, as onnxruntime's dynamic quantisation leaves them: computed in floats, which hold the sums of integers to 24 bits.

use chiaro_graph::{DType, Elementwise, ReduceKind};

use super::{conv, linear};
use crate::call::Call;
use crate::error::Result;
use crate::host::Host;
use crate::record::Recorder;
use crate::value::{Held, Value};

/// The least scale, of inputs that are all zero.
const LEAST: f64 = 1e-30;

/// 8-bit integers from 0 to 255 for the range of the input with zero in it, their scale and their zero point.
pub(crate) fn dynamic<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let value = r.value(call, 0)?;
    if let Value::Host(host) = &value {
        return Ok(known(host)?.into_iter().map(Value::Host).collect());
    }
    let held = r.held(&value)?;
    let g = r.graph();
    let axes: Vec<usize> = (0..g.shape(held.var).len()).collect();
    let end = |g: &mut chiaro_graph::Graph, kind| -> Result<chiaro_graph::Var> {
        let end = g.reduce(kind, held.var, &axes, false)?;
        Ok(if kind == ReduceKind::Max { g.maximum(end, 0.0)? } else { g.minimum(end, 0.0)? })
    };
    let (low, high) = (end(g, ReduceKind::Min)?, end(g, ReduceKind::Max)?);
    let range = g.sub(high, low)?;
    let scale = g.div(range, 255.0)?;
    let scale = g.maximum(scale, LEAST)?;
    let steps = g.div(low, scale)?;
    let below = g.mul(steps, -1.0)?;
    let within = g.clamp(below, Some(0.0), Some(255.0))?;
    let zero = g.unary(Elementwise::Round, within)?;
    let steps = g.div(held.var, scale)?;
    let whole = g.unary(Elementwise::Round, steps)?;
    let moved = g.add(whole, zero)?;
    let var = g.clamp(moved, Some(0.0), Some(255.0))?;
    let (scale, zero) = (Held::plain(g, scale), Held::plain(g, zero));
    Ok(vec![Value::Device(Held { var, ..held }), Value::Device(scale), Value::Device(zero)])
}

/// The same of fixed numbers: weights that the file keeps as nodes are quantised by it as inputs are.
fn known(host: &Host) -> Result<[Host; 3]> {
    let values = host.to_floats()?;
    let low = values.iter().copied().fold(0.0, f32::min);
    let high = values.iter().copied().fold(0.0, f32::max);
    let scale = ((high - low) / 255.0).max(LEAST as f32);
    let zero = (-low / scale).clamp(0.0, 255.0).round_ties_even();
    let one = |x: f32| ((x / scale).round_ties_even() + zero).clamp(0.0, 255.0);
    let whole = values.into_iter().map(one).collect();
    Ok([Host::floats(&host.shape, whole), Host::floats(&[], vec![scale]), Host::floats(&[], vec![zero])])
}

/// An input less its zero point, as floats.
fn centred<'a>(r: &mut Recorder<'a>, call: &Call<'a>, i: usize, zero: usize) -> Result<Held> {
    let value = r.value(call, i)?;
    let held = r.held(&value)?;
    let Some(zero) = r.optional(call, zero)? else { return Ok(held) };
    let zero = r.var(&zero)?;
    let count: usize = r.graph().shape(zero).iter().product();
    if count != 1 {
        return r.fault(format!("has {count} zero points for its first operand, where one is known"));
    }
    let g = r.graph();
    let (x, zero) = (g.cast(held.var, DType::F32)?, g.cast(zero, DType::F32)?);
    let zero = g.reshape(zero, &[])?;
    let var = g.sub(x, zero)?;
    Ok(Held { var, ..held })
}

/// The fixed second operand less its zero points: one, or one a channel of an axis.
fn weights<'a>(r: &mut Recorder<'a>, call: &Call<'a>, axis: usize) -> Result<Host> {
    let (host, zero) = (r.known(call, 1)?, r.known_if(call, 3)?);
    let zeros = zero.map_or(Ok(vec![0.0]), |z| z.to_floats())?;
    let inner: usize = host.shape.iter().skip(axis + 1).product();
    let channels = host.shape.get(axis).copied().unwrap_or(1);
    if zeros.len() != 1 && zeros.len() != channels {
        return r.fault(format!("has {} zero points for {channels} channels", zeros.len()));
    }
    let of = |i: usize| if zeros.len() == 1 { zeros[0] } else { zeros[i / inner.max(1) % channels] };
    let values = host.to_floats()?.into_iter().enumerate().map(|(i, w)| w - of(i)).collect();
    Ok(Host::floats(&host.shape, values))
}

pub(crate) fn matmul<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let matrix = weights(r, call, 1)?;
    let x = centred(r, call, 0, 2)?;
    let y = linear::fixed(r, &Value::Device(x), matrix)?;
    whole(r, y)
}

/// Sums of integers are integers: what floats, and fast convolutions, leave beside them would move later roundings.
fn whole(r: &mut Recorder<'_>, values: Vec<Value>) -> Result<Vec<Value>> {
    let mut rounded = vec![];
    for value in values {
        let held = r.held(&value)?;
        let var = r.graph().unary(Elementwise::Round, held.var)?;
        rounded.push(Value::Device(Held { var, ..held }));
    }
    Ok(rounded)
}

pub(crate) fn convolution<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let weight = weights(r, call, 0)?;
    let x = centred(r, call, 0, 2)?;
    if weight.shape.len() != 4 {
        return r.fault(format!("has a weight {:?}; images have two axes of pixels", weight.shape));
    }
    let x = x.ordered(r.graph(), &crate::value::channels_last(4))?;
    let y = conv::fixed(r, call, x, weight)?;
    whole(r, y)
}
