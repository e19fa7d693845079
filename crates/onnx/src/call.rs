//! A node with its attributes, as ops ask for them.

use crate::error::{OnnxError, Result};
use crate::proto::{AttributeProto, GraphProto, NodeProto, TensorProto};

/// A node that is being recorded.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub proto: &'a NodeProto,
    /// Version of `ai.onnx`.
    pub opset: i64,
    /// Bytes that the host may still make before the model runs.
    pub room: usize,
}

impl<'a> Call<'a> {
    fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        self.proto.attribute.iter().find(|a| a.name() == name)
    }

    pub fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    pub fn int(&self, name: &str, usual: i64) -> i64 {
        self.attribute(name).and_then(|a| a.i).unwrap_or(usual)
    }

    pub fn float(&self, name: &str, usual: f64) -> f64 {
        self.attribute(name).and_then(|a| a.f).map_or(usual, f64::from)
    }

    pub fn flag(&self, name: &str, usual: bool) -> bool {
        self.int(name, i64::from(usual)) != 0
    }

    pub fn ints(&self, name: &str) -> Option<Vec<i64>> {
        self.attribute(name).map(|a| a.ints.clone())
    }

    pub fn floats(&self, name: &str) -> Option<Vec<f32>> {
        self.attribute(name).map(|a| a.floats.clone())
    }

    pub fn text(&self, name: &str, usual: &str) -> String {
        self.attribute(name)
            .and_then(|a| a.s.as_ref())
            .map_or(usual.into(), |s| String::from_utf8_lossy(s).into_owned())
    }

    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        self.attribute(name).map(|a| a.strings.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect())
    }

    pub fn tensor(&self, name: &str) -> Option<&'a TensorProto> {
        self.attribute(name).and_then(|a| a.t.as_ref())
    }

    pub fn graph(&self, name: &str) -> Option<&'a GraphProto> {
        self.attribute(name).and_then(|a| a.g.as_ref())
    }

    /// Positive numbers, one for each of some axes.
    pub fn extents(&self, name: &str, axes: usize, usual: usize) -> Result<Vec<usize>> {
        let Some(given) = self.ints(name) else { return Ok(vec![usual; axes]) };
        let numbers: Option<Vec<usize>> = given.iter().map(|&n| usize::try_from(n).ok()).collect();
        numbers
            .filter(|n| n.len() == axes)
            .ok_or_else(|| OnnxError::node(format!("{name} is {given:?}, not {axes} numbers from 0 on")))
    }

    /// Name of an input; an empty one is absent.
    pub fn input(&self, i: usize) -> Option<&'a str> {
        self.proto.input.get(i).map(String::as_str).filter(|name| !name.is_empty())
    }

    pub fn inputs(&self) -> usize {
        self.proto.input.len()
    }

    /// Whether an output is asked for.
    pub fn wants(&self, i: usize) -> bool {
        self.proto.output.get(i).is_some_and(|name| !name.is_empty())
    }

    /// Op and name, for messages.
    pub fn told(&self) -> String {
        told(self.proto)
    }
}

/// Op and name of a node, or what it computes where it has no name.
pub(crate) fn told(node: &NodeProto) -> String {
    let name = if node.name().is_empty() { node.output.first().map_or("", String::as_str) } else { node.name() };
    format!("{} {name:?}", node.op_type())
}

/// The node that computes a value. An empty name is no value's: it stands where one was left out.
pub(crate) fn maker<'g>(graph: &'g GraphProto, name: &str) -> Option<&'g NodeProto> {
    graph.node.iter().find(|n| !name.is_empty() && n.output.iter().any(|o| o == name))
}

/// Names of the values that a node takes, and those that nodes of its graphs take.
pub(crate) fn takes(node: &NodeProto) -> Vec<&str> {
    let mut names: Vec<&str> = node.input.iter().map(String::as_str).collect();
    for graph in node.attribute.iter().filter_map(|a| a.g.as_ref()) {
        names.extend(graph.node.iter().flat_map(takes));
        names.extend(graph.output.iter().map(|o| o.name()));
    }
    names
}

/// An axis that may be counted from the end.
pub(crate) fn axis(axis: i64, rank: usize) -> Result<usize> {
    let position = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(position)
        .ok()
        .filter(|&p| p < rank)
        .ok_or_else(|| OnnxError::node(format!("there is no axis {axis} of {rank}")))
}
