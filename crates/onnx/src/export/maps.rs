//! Elementwise ops as ONNX nodes of opset 17.

use chiaro_graph::Elementwise;

use super::builder::{Builder, Wide, float};
use crate::error::{OnnxError, Result};

/// The node that gives an elementwise op of named operands; `known` has those that are single numbers.
pub(crate) fn node(b: &mut Builder, op: Elementwise, x: &[String], known: &[Option<f64>]) -> Result<String> {
    use Elementwise as E;
    let number = |i: usize| known.get(i).copied().flatten();
    let all: Vec<&str> = x.iter().map(String::as_str).collect();
    let simple = match op {
        E::Add => "Add",
        E::Sub => "Sub",
        E::Mul => "Mul",
        E::Div => "Div",
        E::Maximum => "Max",
        E::Minimum => "Min",
        E::Pow => "Pow",
        E::Equal => "Equal",
        E::Less => "Less",
        E::LessEqual => "LessOrEqual",
        E::Greater => "Greater",
        E::GreaterEqual => "GreaterOrEqual",
        E::And => "And",
        E::Or => "Or",
        E::Not => "Not",
        E::Where => "Where",
        E::Neg => "Neg",
        E::Abs => "Abs",
        E::Sign => "Sign",
        E::Floor => "Floor",
        E::Ceil => "Ceil",
        E::Round => "Round",
        E::Sqrt => "Sqrt",
        E::Exp => "Exp",
        E::Log => "Log",
        E::Sin => "Sin",
        E::Cos => "Cos",
        E::Tanh => "Tanh",
        E::Erf => "Erf",
        E::Sigmoid => "Sigmoid",
        E::Relu => "Relu",
        E::Selu => "Selu",
        E::Reciprocal => "Reciprocal",
        E::Hardswish => "HardSwish",
        E::NotEqual => {
            let equal = b.node("Equal", &all, vec![]);
            return Ok(b.node("Not", &[&equal], vec![]));
        }
        E::Square => return Ok(b.node("Mul", &[all[0], all[0]], vec![])),
        E::Rsqrt => {
            let root = b.node("Sqrt", &all, vec![]);
            return Ok(b.node("Reciprocal", &[&root], vec![]));
        }
        E::Hardsigmoid => {
            return Ok(b.node("HardSigmoid", &all, vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)]));
        }
        E::Relu6 => {
            let bounds = [0.0, 6.0].map(|v| b.floats("value", &Wide::number(v)));
            return Ok(b.node("Clip", &[all[0], &bounds[0], &bounds[1]], vec![]));
        }
        E::Clamp => return Ok(b.node("Clip", &all, vec![])),
        E::LeakyRelu => match number(1) {
            Some(slope) => return Ok(b.node("LeakyRelu", &all[..1], vec![float("alpha", slope)])),
            None => "PRelu",
        },
        E::Elu if number(1).is_some() => {
            return Ok(b.node("Elu", &all[..1], vec![float("alpha", number(1).unwrap_or(1.0))]));
        }
        E::Softplus if number(1) == Some(1.0) => return Ok(b.node("Softplus", &all[..1], vec![])),
        E::Gelu => return Ok(gelu(b, all[0])),
        E::GeluTanh => return Ok(gelu_tanh(b, all[0])),
        E::Silu => return Ok(silu(b, all[0])),
        E::Mish => return Ok(mish(b, all[0])),
        E::Elu | E::Softplus | E::IsFinite => {
            return Err(OnnxError::Classifier(format!("{} has no form in ONNX' opset 17", op.name())));
        }
    };
    Ok(b.node(simple, &all, vec![]))
}

/// x times the sigmoid of x.
fn silu(b: &mut Builder, x: &str) -> String {
    let gate = b.node("Sigmoid", &[x], vec![]);
    b.node("Mul", &[x, &gate], vec![])
}

/// x times tanh(softplus(x)).
fn mish(b: &mut Builder, x: &str) -> String {
    let soft = b.node("Softplus", &[x], vec![]);
    let gate = b.node("Tanh", &[&soft], vec![]);
    b.node("Mul", &[x, &gate], vec![])
}

/// x times the normal distribution's share below x, by the error function.
fn gelu(b: &mut Builder, x: &str) -> String {
    let [root, one, half] = [std::f64::consts::FRAC_1_SQRT_2, 1.0, 0.5].map(|v| b.floats("value", &Wide::number(v)));
    let scaled = b.node("Mul", &[x, &root], vec![]);
    let erf = b.node("Erf", &[&scaled], vec![]);
    let sum = b.node("Add", &[&erf, &one], vec![]);
    let gate = b.node("Mul", &[&sum, &half], vec![]);
    b.node("Mul", &[x, &gate], vec![])
}

/// The same by its approximation: (1 + tanh(z)) / 2 is the sigmoid of 2z.
fn gelu_tanh(b: &mut Builder, x: &str) -> String {
    let [cubic, slope] = [0.044715, 1.5957691216057308].map(|v| b.floats("value", &Wide::number(v)));
    let square = b.node("Mul", &[x, x], vec![]);
    let cube = b.node("Mul", &[&square, x], vec![]);
    let cube = b.node("Mul", &[&cube, &cubic], vec![]);
    let sum = b.node("Add", &[x, &cube], vec![]);
    let sum = b.node("Mul", &[&sum, &slope], vec![]);
    let gate = b.node("Sigmoid", &[&sum], vec![]);
    b.node("Mul", &[x, &gate], vec![])
}
