//! Which of a model's outputs tells the classes, and what is told of a model that has none.

use crate::call::maker;
use crate::model::OnnxModel;
use crate::proto::NodeProto;

/// The value before nodes of these ops at the end.
fn before<'m>(model: &'m OnnxModel, mut name: &'m str, ops: &[&str]) -> &'m str {
    while let Some(node) = maker(model.graph(), name).filter(|n| ops.contains(&n.op_type())) {
        name = node.input.first().map_or("", String::as_str);
    }
    name
}

/// What makes probabilities of logits.
const PROBABILITIES: [&str; 3] = ["Softmax", "LogSoftmax", "Sigmoid"];
/// What leaves numbers as they are, in other extents or another type.
const MOVED: [&str; 5] = ["Identity", "Cast", "Reshape", "Flatten", "Squeeze"];

/// The output that tells the classes: one called `logits`, or the first.
fn taken(model: &OnnxModel) -> &str {
    let outputs = model.outputs();
    outputs.iter().find(|n| **n == "logits").or(outputs.first()).copied().unwrap_or_default()
}

/// The node that makes probabilities at the end of an output, if one does.
fn end<'m>(model: &'m OnnxModel, output: &'m str) -> Option<&'m NodeProto> {
    maker(model.graph(), before(model, output, &MOVED)).filter(|n| PROBABILITIES.contains(&n.op_type()))
}

/// The value before a softmax or sigmoid at the end of the output that tells the classes.
pub(crate) fn logits(model: &OnnxModel) -> String {
    let mut name = taken(model);
    while let Some(node) = end(model, name) {
        name = node.input.first().map_or("", String::as_str);
    }
    before(model, name, &["Identity"]).to_string()
}

/// Whether an output is a sigmoid.
pub(crate) fn ends_in_sigmoid(model: &OnnxModel) -> bool {
    model.outputs().into_iter().any(|output| end(model, output).is_some_and(|n| n.op_type() == "Sigmoid"))
}

/// The output that is taken, and those that tell something else than it; `None` where all tell the same classes.
pub(crate) fn several(model: &OnnxModel) -> Option<(String, Vec<String>)> {
    let same = [&PROBABILITIES[..], &MOVED, &["ArgMax", "ReduceMax", "TopK"]].concat();
    let (taken, logits) = (taken(model), logits(model));
    let logits = before(model, &logits, &same);
    let others = model.outputs().into_iter().filter(|output| before(model, output, &same) != logits);
    let others: Vec<String> = others.map(str::to_string).collect();
    (!others.is_empty()).then(|| (taken.to_string(), others))
}

/// Why an output of these extents is none of classes, if so: `batch` pictures were given.
pub(crate) fn unlike_classes(model: &OnnxModel, name: &str, shape: &[usize], batch: usize) -> Option<String> {
    let own = shape.first() == Some(&batch) && shape.iter().skip(1).filter(|&&n| n > 1).count() <= 1;
    if own {
        return None;
    }
    let kind = match (shape.len(), shape.first() == Some(&batch)) {
        (4.., true) => "maps of the image are what networks give that segment it, enhance it or find text in it",
        (_, true) => "rows of numbers for many places are what networks give that find objects or read text",
        (..) => "a row for each step is what networks give that read text",
    };
    let outputs = model.outputs();
    let all = if outputs.len() > 1 { format!(" (its outputs are {})", outputs.join(", ")) } else { String::new() };
    Some(format!(
        "its output {name:?} has the extents {shape:?}, not [{batch}, classes]{all}: it is no classifier of images; {kind}"
    ))
}
