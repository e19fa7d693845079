//! Pointwise ops of one operand: they pass the order of the axes on.

use chiaro_graph::{DType, Elementwise, Graph, Var};

use crate::call::Call;
use crate::error::Result;
use crate::host::{Elem, Host};
use crate::record::Recorder;
use crate::value::{Held, Value};

/// Any of them.
pub(crate) fn record<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let value = r.value(call, 0)?;
    let held = r.held(&value)?;
    let wide = r.wide && call.proto.op_type() == "Cast" && Elem::from_onnx(call.int("to", 0) as i32)? == Elem::F16;
    let g = r.graph();
    let var = if wide { g.cast(held.var, DType::F32)? } else { apply(g, call, held.var)? };
    Ok(vec![Value::Device(Held { var, ..held })])
}

fn apply(g: &mut Graph, call: &Call<'_>, x: Var) -> Result<Var> {
    use Elementwise as E;
    let is_float = g.dtype(x).is_float();
    let op = match call.proto.op_type() {
        "Identity" => return Ok(x),
        "Cast" => return cast(g, call, x),
        "Abs" | "Neg" | "Sign" | "Relu" if !is_float => return whole(g, call.proto.op_type(), x),
        "Floor" | "Ceil" | "Round" if !is_float => return Ok(x),
        "Abs" => E::Abs,
        "Neg" => E::Neg,
        "Floor" => E::Floor,
        "Ceil" => E::Ceil,
        "Round" => E::Round,
        "Sign" => E::Sign,
        "Sqrt" => E::Sqrt,
        "Exp" => E::Exp,
        "Log" => E::Log,
        "Sin" => E::Sin,
        "Cos" => E::Cos,
        "Tanh" => E::Tanh,
        "Erf" => E::Erf,
        "Sigmoid" => E::Sigmoid,
        "Relu" => E::Relu,
        "Reciprocal" => E::Reciprocal,
        "HardSwish" => E::Hardswish,
        "Mish" => E::Mish,
        "Not" => E::Not,
        "Gelu" if call.text("approximate", "none") == "tanh" => E::GeluTanh,
        "Gelu" => E::Gelu,
        _ => return with_numbers(g, call, x),
    };
    Ok(g.unary(op, x)?)
}

/// Those that have numbers beside their operand.
fn with_numbers(g: &mut Graph, call: &Call<'_>, x: Var) -> Result<Var> {
    use Elementwise as E;
    Ok(match call.proto.op_type() {
        "Softplus" => g.map_scalars(E::Softplus, x, &[1.0, f64::from(f32::MAX)])?,
        "Softsign" => {
            let size = g.abs(x)?;
            let below = g.add(size, 1.0)?;
            g.div(x, below)?
        }
        "Selu" => {
            let alpha = call.float("alpha", 1.673_263_192_176_818_8);
            let y = g.map_scalars(E::Elu, x, &[alpha])?;
            g.mul(y, call.float("gamma", 1.050_701_022_148_132_3))?
        }
        "Elu" => g.map_scalars(E::Elu, x, &[call.float("alpha", 1.0)])?,
        "LeakyRelu" => g.map_scalars(E::LeakyRelu, x, &[call.float("alpha", 0.01)])?,
        "ThresholdedRelu" => {
            let above = g.greater(x, call.float("alpha", 1.0))?;
            g.where_(above, x, 0.0)?
        }
        "Celu" => {
            let alpha = call.float("alpha", 1.0);
            let y = g.div(x, alpha)?;
            let y = g.map_scalars(E::Elu, y, &[1.0])?;
            g.mul(y, alpha)?
        }
        "Swish" => {
            let inner = g.mul(x, call.float("alpha", 1.0))?;
            let gate = g.sigmoid(inner)?;
            g.mul(x, gate)?
        }
        _ => {
            let line = g.mul(x, call.float("alpha", 0.2))?;
            let line = g.add(line, call.float("beta", 0.5))?;
            g.clamp(line, Some(0.0), Some(1.0))?
        }
    })
}

/// Those that integers have too.
fn whole(g: &mut Graph, op: &str, x: Var) -> Result<Var> {
    let shape = g.shape(x).to_vec();
    let dtype = g.dtype(x);
    let zero = g.full(&shape, 0.0, dtype)?;
    Ok(match op {
        "Relu" => g.maximum(x, zero)?,
        "Neg" => g.sub(zero, x)?,
        "Abs" => {
            let negative = g.sub(zero, x)?;
            g.maximum(x, negative)?
        }
        _ => {
            let (above, below) = (g.greater(x, zero)?, g.less(x, zero)?);
            let (above, below) = (g.cast(above, dtype)?, g.cast(below, dtype)?);
            g.sub(above, below)?
        }
    })
}

fn cast(g: &mut Graph, call: &Call<'_>, x: Var) -> Result<Var> {
    let elem = Elem::from_onnx(call.int("to", 0) as i32)?;
    Ok(g.cast(x, elem.graph_type())?)
}

/// Dropout as in evaluation: the operand itself. The mask, where it is asked for, keeps everything.
pub(crate) fn dropout<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let ratio = r.known_if(call, 1)?.map(|h| h.scalar()).transpose()?.unwrap_or(call.float("ratio", 0.5));
    let training = r.known_if(call, 2)?.map(|h| h.scalar()).transpose()?.is_some_and(|t| t != 0.0);
    if training && ratio != 0.0 {
        return r.fault("dropout with training_mode draws random numbers, which no other runtime's are");
    }
    let value = r.value(call, 0)?;
    let mut results = vec![value.clone()];
    if call.wants(1) {
        let shape = r.shape(&value);
        let kept = Host { elem: Elem::Bool, ..Host::ints(&shape, vec![1; shape.iter().product()]) };
        results.push(Value::Host(kept));
    }
    Ok(results)
}
