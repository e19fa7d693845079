//! The interpreter of what is known before a model runs: extents, axes, and weights that are only moved.

mod arithmetic;
mod movement;

pub(crate) use arithmetic::broadcast;
pub(crate) use movement::shape_range;

use std::sync::Arc;

use crate::call::Call;
use crate::error::Result;
use crate::host::{Elem, Host, Values};
use crate::tensor;

/// The results of a node whose inputs are all known; `None` where the interpreter does not compute the op.
pub(crate) fn node(call: &Call<'_>, inputs: &[Option<&Host>]) -> Result<Option<Vec<Host>>> {
    if call.proto.op_type() == "Constant" {
        return constant(call).map(|host| host.map(|host| vec![host]));
    }
    if inputs.is_empty() || inputs.iter().flatten().any(|h| h.values == Values::Hollow && !moves(call)) {
        return Ok(None);
    }
    if let Some(host) = movement::node(call, inputs)? {
        return Ok(Some(host));
    }
    Ok(arithmetic::node(call, inputs)?.map(|host| vec![host]))
}

/// Ops that only look at extents, or move what may be hollow.
fn moves(call: &Call<'_>) -> bool {
    matches!(call.proto.op_type(), "Shape" | "Size" | "Identity" | "Reshape" | "Transpose" | "Squeeze" | "Unsqueeze")
}

fn constant(call: &Call<'_>) -> Result<Option<Host>> {
    if let Some(t) = call.tensor("value") {
        return tensor::host(t).map(Some);
    }
    if call.has("value_float") {
        return Ok(Some(Host::floats(&[], vec![call.float("value_float", 0.0) as f32])));
    }
    if call.has("value_int") {
        return Ok(Some(Host::ints(&[], vec![call.int("value_int", 0)])));
    }
    if let Some(v) = call.floats("value_floats") {
        return Ok(Some(Host::floats(&[v.len()], v)));
    }
    Ok(call.ints("value_ints").map(|v| Host::ints(&[v.len()], v)))
}

/// Conversion of elements.
pub(crate) fn cast(host: &Host, elem: Elem) -> Result<Host> {
    let values = if elem.is_float() {
        Values::Floats(Arc::new(host.to_floats()?))
    } else if elem == Elem::Bool {
        Values::Ints(Arc::new(host.to_floats()?.iter().map(|&x| i64::from(x != 0.0)).collect()))
    } else {
        let wrap = |x: i64| match elem {
            Elem::I8 => i64::from(x as i8),
            Elem::I16 => i64::from(x as i16),
            Elem::I32 => i64::from(x as i32),
            Elem::U8 => i64::from(x as u8),
            Elem::U16 => i64::from(x as u16),
            Elem::U32 => i64::from(x as u32),
            Elem::I64 | Elem::U64 | Elem::Bool | Elem::F32 | Elem::F16 | Elem::F64 => x,
        };
        Values::Ints(Arc::new(host.to_ints()?.into_iter().map(wrap).collect()))
    };
    Ok(Host { shape: host.shape.clone(), elem, values })
}
