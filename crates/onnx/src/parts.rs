//! The parts of a network from a file, for freezing and for rates that fall with the depth: what one node takes is one part.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chiaro_nn::part_of;

use crate::proto::NodeProto;
use crate::record::plain_name;

/// A node with the states that it takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taker {
    name: String,
    op: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
    /// Names of the states, as they are saved.
    pub states: Vec<String>,
}

impl Taker {
    pub fn of(node: &NodeProto) -> Taker {
        let (name, op) = (whole_name(node.name()), node.op_type().to_string());
        Taker { name, op, inputs: node.input.clone(), outputs: node.output.clone(), states: vec![] }
    }

    /// The part that its states are, were they no other's: what their names share, or else what its own name tells.
    fn part(&self) -> String {
        let mut told = self.states.iter().filter(|name| tells(name)).map(|name| part_of(name));
        let first = told.next();
        let all = self.states.iter().all(|name| tells(name)) && told.all(|part| Some(part) == first);
        match first.filter(|_| all) {
            Some(shared) => shared.to_string(),
            None if self.name.is_empty() => first.unwrap_or_else(|| self.first()).to_string(),
            None => part_of(&self.name).to_string(),
        }
    }

    /// The same, of this node alone.
    fn own_part(&self) -> String {
        if self.name.is_empty() { self.first().to_string() } else { self.name.clone() }
    }

    fn first(&self) -> &str {
        self.states.first().map_or("weight", String::as_str)
    }

    /// Whether an addition behind it may be its bias.
    fn is_product(&self) -> bool {
        ["MatMul", "Gemm", "Conv", "ConvTranspose"].contains(&self.op.as_str())
    }
}

/// Whether a name was given by somebody: exporters number what they make of several weights.
fn tells(name: &str) -> bool {
    let number = name.strip_prefix("val_").unwrap_or(name);
    !name.starts_with("onnx::") && !number.chars().all(|c| c.is_ascii_digit())
}

/// A node's name as layers have theirs: `/layer1/layer1.0/conv1/Conv`, in which PyTorch's exporter repeats what lies above, is
/// `layer1.0.conv1.Conv`.
fn whole_name(name: &str) -> String {
    let components: Vec<&str> = name.split('/').filter(|c| !c.is_empty()).collect();
    let repeated = |i: usize| {
        components.get(i + 1).and_then(|next| next.strip_prefix(components[i])).is_some_and(|r| r.starts_with('.'))
    };
    let kept: Vec<&str> = (0..components.len()).filter(|&i| !repeated(i)).map(|i| components[i]).collect();
    if kept.is_empty() { String::new() } else { plain_name(&kept.join("/")) }
}

/// The part of each state, by nodes in their order. States of one node are one part, and so are a product and the addition behind it. Where
/// names tell no parts apart, each node is one.
pub(crate) fn parts(takers: &[Taker]) -> BTreeMap<String, String> {
    let coarse = named(takers, Taker::part);
    let one = coarse.values().collect::<BTreeSet<_>>().len() < 2;
    if one { named(takers, Taker::own_part) } else { coarse }
}

fn named(takers: &[Taker], name: impl Fn(&Taker) -> String) -> BTreeMap<String, String> {
    let mut parts: BTreeMap<String, String> = BTreeMap::new();
    let mut products: HashMap<&str, String> = HashMap::new();
    for taker in takers.iter().filter(|taker| !taker.states.is_empty()) {
        let known = taker.states.iter().find_map(|state| parts.get(state)).cloned();
        let follows = || {
            let inputs = taker.inputs.iter().filter(|_| taker.op == "Add");
            inputs.filter_map(|input| products.get(input.as_str())).next().cloned()
        };
        let part = known.or_else(follows).unwrap_or_else(|| name(taker));
        if let Some(output) = taker.outputs.first().filter(|_| taker.is_product()) {
            products.insert(output, part.clone());
        }
        for state in &taker.states {
            parts.entry(state.clone()).or_insert_with(|| part.clone());
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taker(name: &str, op: &str, [input, output]: [&str; 2], states: &[&str]) -> Taker {
        let node = NodeProto {
            name: Some(name.into()),
            op_type: Some(op.into()),
            input: vec![input.into()],
            output: vec![output.into()],
            ..NodeProto::default()
        };
        Taker { states: states.iter().map(|s| s.to_string()).collect(), ..Taker::of(&node) }
    }

    fn of(takers: &[Taker]) -> Vec<String> {
        let parts = parts(takers);
        takers.iter().flat_map(|t| &t.states).map(|state| parts[state].clone()).collect()
    }

    #[test]
    fn what_one_node_takes_is_one_part_whatever_its_tensors_are_called() {
        let named = [
            taker("", "Conv", ["x", "a"], &["w", "b"]),
            taker("second", "Conv", ["a", "c"], &["w2", "b2"]),
            taker("", "MatMul", ["c", "d"], &["w3"]),
            taker("", "Add", ["d", "y"], &["b3"]),
        ];
        assert_eq!(of(&named), ["w", "w", "second", "second", "w3", "w3"]);
    }

    #[test]
    fn names_that_people_gave_make_the_parts_of_the_same_model_here() {
        let kept = [
            taker("Conv_1", "Conv", ["x", "a"], &["conv1.weight"]),
            taker("", "BatchNormalization", ["a", "b"], &["bn1.weight", "bn1.bias", "bn1.mean", "bn1.var"]),
            taker("Conv_3", "Conv", ["b", "c"], &["layer1.0.conv1.weight"]),
            taker("Conv_4", "Conv", ["c", "d"], &["layer1.0.conv2.weight", "layer1.0.conv2.bias"]),
            taker("Gemm_5", "Gemm", ["d", "y"], &["fc.weight", "fc.bias"]),
        ];
        assert_eq!(of(&kept), ["conv1", "bn1", "bn1", "bn1", "bn1", "layer1", "layer1", "layer1", "fc", "fc"]);
        // As PyTorch's exporter leaves convolutions into which norms were folded, and products whose matrix it turned.
        let folded = [
            taker("/features/features.0/features.0.0/Conv", "Conv", ["x", "a"], &["onnx::Conv_193", "onnx::Conv_194"]),
            taker("/features/features.1/conv/Conv", "Conv", ["a", "b"], &["onnx::Conv_195", "onnx::Conv_196"]),
            taker("/head/fc/MatMul", "MatMul", ["b", "c"], &["onnx::MatMul_197"]),
            taker("/head/fc/Add", "Add", ["c", "y"], &["head.fc.bias"]),
        ];
        let parts = ["features.0", "features.0", "features.1", "features.1", "head.fc", "head.fc"];
        assert_eq!(of(&folded), parts);
    }

    #[test]
    fn names_that_tell_no_parts_apart_make_a_part_of_each_node() {
        let all = [
            taker("net1/a", "Conv", ["x", "a"], &["net1.a.w", "net1.a.b"]),
            taker("net1/b", "Conv", ["a", "y"], &["net1.b.w", "net1.b.b"]),
        ];
        assert_eq!(of(&all), ["net1.a", "net1.a", "net1.b", "net1.b"]);
    }
}
