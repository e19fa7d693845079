//! A model without its weights: what lies beside the weights of a run, and with another head.

use prost::Message;

use crate::call::maker;
use crate::classifier::OnnxClassifier;
use crate::error::{OnnxError, Result};
use crate::model::OnnxModel;
use crate::proto::{GraphProto, TensorProto};

/// Takes a tensor's elements out.
fn hollow(tensor: &mut TensorProto) {
    tensor.raw_data = None;
    tensor.float_data.clear();
    tensor.double_data.clear();
    tensor.int32_data.clear();
}

/// The fixed tensors of a graph, by the names of their values.
fn tensors(graph: &mut GraphProto) -> impl Iterator<Item = (String, &mut TensorProto)> {
    let nodes = graph.node.iter_mut().filter(|n| n.op_type() == "Constant").filter_map(|n| {
        let name = n.output.first()?.clone();
        n.attribute.iter_mut().find(|a| a.name() == "value").and_then(|a| a.t.as_mut()).map(|t| (name, t))
    });
    graph.initializer.iter_mut().map(|t| (t.name().to_string(), t)).chain(nodes)
}

impl OnnxClassifier {
    /// The file's bytes without the elements of its weights, for images of height, width and channels. What is needed to record
    /// the model stays.
    ///
    /// # Errors
    /// If the model does not fit such images.
    pub fn structure(&self, image: [usize; 3]) -> Result<Vec<u8>> {
        let names: Vec<String> = self.dry_names(image)?;
        let mut graph = self.model().graph().clone();
        for (name, tensor) in tensors(&mut graph) {
            if names.contains(&name.trim_matches('/').replace('/', ".")) {
                hollow(tensor);
            }
        }
        graph.doc_string = None;
        graph.node.iter_mut().for_each(|n| n.doc_string = None);
        // Weights that something else must know stay: then all do.
        let hollow = self.model().with_graph(graph);
        let trial = OnnxModel::of(hollow.clone(), None).and_then(OnnxClassifier::new);
        let fits = trial.is_ok_and(|t| t.dry_names(image).is_ok_and(|n| n == names));
        let whole = || self.model().with_graph(self.model().graph().clone());
        Ok(if fits { hollow } else { whole() }.encode_to_vec())
    }

    fn dry_names(&self, [h, w, c]: [usize; 3]) -> Result<Vec<String>> {
        Ok(self.dry(&[1, h, w, c])?.states.iter().map(|s| s.name.clone()).collect())
    }

    /// The same model with a new last layer for other classes, which has no values.
    ///
    /// # Errors
    /// If the last layer is none whose weights are fixed.
    pub fn with_classes(&self, classes: usize) -> Result<OnnxClassifier> {
        let mut graph = self.model().graph().clone();
        let head = head(&graph, self.output())?;
        for (name, tensor) in tensors(&mut graph) {
            for (wanted, axis) in &head {
                if *wanted == name {
                    let rank = tensor.dims.len();
                    let at = if *axis == LAST { rank.saturating_sub(1) } else { *axis };
                    if let Some(extent) = tensor.dims.get_mut(at) {
                        *extent = classes as i64;
                    }
                    hollow(tensor);
                }
            }
        }
        for output in &mut graph.output {
            output.r#type = None;
        }
        graph.value_info.clear();
        let mut other = OnnxClassifier::new(OnnxModel::of(self.model().with_graph(graph), None)?)?;
        other.alone = self.alone;
        Ok(other)
    }
}

/// The last axis, however many there are.
const LAST: usize = usize::MAX;

/// The fixed tensors of the last layer, each with its axis of classes.
fn head(graph: &GraphProto, output: &str) -> Result<Vec<(String, usize)>> {
    let fixed = |name: &str| {
        graph.initializer.iter().any(|t| t.name() == name)
            || graph.node.iter().any(|n| n.op_type() == "Constant" && n.output.iter().any(|o| o == name))
    };
    let mut found = vec![];
    let mut name = output.to_string();
    loop {
        let unknown = || {
            let in_integers = graph.node.iter().any(|n| ["MatMulInteger", "ConvInteger"].contains(&n.op_type()));
            let why = if in_integers {
                ": its products are of 8-bit integers; take the file that it was made of"
            } else {
                ""
            };
            OnnxError::Classifier(format!(
                "its last layer cannot be replaced: before {output:?} there is no dense layer or convolution with fixed weights{why}"
            ))
        };
        let node = maker(graph, &name).ok_or_else(unknown)?;
        let input = |i: usize| node.input.get(i).cloned().unwrap_or_default();
        match node.op_type() {
            "Identity" | "Cast" | "Flatten" | "Reshape" | "Squeeze" | "GlobalAveragePool" | "ReduceMean"
            | "AveragePool" | "Dropout" | "Softmax" | "LogSoftmax" | "Sigmoid" | "Relu" => name = input(0),
            "Add" => {
                let (bias, rest) = if fixed(&input(1)) { (input(1), input(0)) } else { (input(0), input(1)) };
                if !fixed(&bias) {
                    return Err(unknown());
                }
                found.push((bias, LAST));
                name = rest;
            }
            op @ ("Gemm" | "MatMul" | "Conv") if fixed(&input(1)) => {
                let turned = node.attribute.iter().any(|a| a.name() == "transB" && a.i() != 0);
                found.push((input(1), if op == "Conv" || turned { 0 } else { 1 }));
                if !input(2).is_empty() {
                    found.push((input(2), LAST));
                }
                return Ok(found);
            }
            _ => return Err(unknown()),
        }
    }
}
