//! Whether a model brings pixels from 0 to 255 to numbers that suit it by itself.

use crate::model::OnnxModel;
use crate::proto::NodeProto;
use crate::tensor;

/// Fixed numbers of pixels from 0 to 255: the least that is added to them or that they are divided by, and the most that they are
/// multiplied with. Of numbers from 0 to 1 means are below 1, and deviations about a quarter.
const ADDED: f32 = 20.0;
const TIMES: f32 = 0.05;

/// Whether the first thing that a model does with an input is to scale or centre it by numbers that only pixels from 0 to 255 have.
pub(crate) fn are_scaled_inside(model: &OnnxModel, input: &str) -> bool {
    let mut name = input;
    // Each step follows another node: they are in order. An empty name is no value's.
    while !name.is_empty() {
        let mut users = model.graph().node.iter().filter(|n| n.input.iter().any(|i| i == name));
        let (Some(node), None) = (users.next(), users.next()) else { return false };
        match node.op_type() {
            "Identity" | "Cast" | "Transpose" | "Pad" => name = node.output.first().map_or("", String::as_str),
            op @ ("Mul" | "Div" | "Add" | "Sub") => {
                let Some(numbers) = numbers_beside(model, node, name) else { return false };
                return match op {
                    "Mul" => numbers.iter().all(|n| *n != 0.0 && n.abs() < TIMES),
                    "Div" => node.input.first().is_some_and(|i| i == name) && numbers.iter().all(|n| n.abs() > ADDED),
                    _ => numbers.iter().any(|n| n.abs() > ADDED),
                };
            }
            _ => return false,
        }
    }
    false
}

/// The fixed numbers that a node takes beside a value.
fn numbers_beside(model: &OnnxModel, node: &NodeProto, name: &str) -> Option<Vec<f32>> {
    let other = node.input.iter().find(|i| *i != name)?;
    let graph = model.graph();
    let constant = || {
        let maker = graph.node.iter().find(|n| n.op_type() == "Constant" && n.output.contains(other))?;
        maker.attribute.iter().find(|a| a.name() == "value").and_then(|a| a.t.as_ref())
    };
    let found = graph.initializer.iter().find(|t| t.name() == other).or_else(constant)?;
    let host = tensor::host(found).ok()?;
    let numbers = host.to_floats().ok()?;
    (1..=4).contains(&numbers.len()).then_some(numbers)
}
