//! Quantised values: 8-bit integers with a scale and a zero point.

use chiaro_graph::{DType, Elementwise};

use crate::call::{Call, axis};
use crate::error::Result;
use crate::host::{Elem, Host};
use crate::record::Recorder;
use crate::value::{Held, Value};

/// `y = (x - zero) * scale`; fixed integers become fixed floats, each channel of an axis with its own scale.
pub(crate) fn dequantize<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let (value, scale, zero) = (r.value(call, 0)?, r.known(call, 1)?, r.known_if(call, 2)?);
    match value {
        Value::Host(host) => Ok(vec![Value::Host(fixed(call, &host, &scale, zero.as_ref())?)]),
        Value::Device(held) => {
            let (scale, zero) = (scale.scalar()?, zero.map_or(Ok(0.0), |z| z.scalar())?);
            let x = r.graph().cast(held.var, DType::F32)?;
            let centred = r.graph().sub(x, zero)?;
            let var = r.graph().mul(centred, scale)?;
            Ok(vec![Value::Device(Held { var, ..held })])
        }
    }
}

fn fixed(call: &Call<'_>, host: &Host, scale: &Host, zero: Option<&Host>) -> Result<Host> {
    let (scales, zeros) = (scale.to_floats()?, zero.map_or(Ok(vec![]), Host::to_floats)?);
    let values = host.to_floats()?;
    // Elements from one channel of the axis to the next, and channels.
    let (inner, channels) = match scales.len() {
        1 => (values.len().max(1), 1),
        channels => {
            let at = axis(call.int("axis", 1), host.shape.len())?;
            if host.shape[at] != channels {
                let detail = format!("has {channels} scales for the extents {:?} along axis {at}", host.shape);
                return Err(crate::error::OnnxError::node(detail));
            }
            (host.shape[at + 1..].iter().product::<usize>().max(1), channels)
        }
    };
    let of = |list: &[f32], c: usize| list.get(if list.len() == 1 { 0 } else { c }).copied().unwrap_or(0.0);
    let one = |(i, x): (usize, f32)| {
        let c = i / inner % channels;
        (x - of(&zeros, c)) * of(&scales, c)
    };
    Ok(Host::floats(&host.shape, values.into_iter().enumerate().map(one).collect()))
}

/// `y = round(x / scale) + zero`, as far as the type of the zero point goes.
pub(crate) fn quantize<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let (value, scale, zero) = (r.value(call, 0)?, r.known(call, 1)?, r.known_if(call, 2)?);
    let (low, high) = match zero.as_ref().map_or(Elem::U8, |z| z.elem) {
        Elem::U8 => (0.0, 255.0),
        Elem::I8 => (-128.0, 127.0),
        other => return r.fault(format!("quantises to {other:?}, not to 8 bits")),
    };
    let (scale, zero) = (scale.scalar()?, zero.map_or(Ok(0.0), |z| z.scalar())?);
    if scale.is_nan() || scale <= 0.0 {
        return r.fault(format!("has the scale {scale}, which must be positive"));
    }
    let held = r.held(&value)?;
    let g = r.graph();
    let steps = g.div(held.var, scale)?;
    let whole = g.unary(Elementwise::Round, steps)?;
    let moved = g.add(whole, zero)?;
    let within = g.clamp(moved, Some(low), Some(high))?;
    let var = g.cast(within, DType::I32)?;
    Ok(vec![Value::Device(Held { var, ..held })])
}
