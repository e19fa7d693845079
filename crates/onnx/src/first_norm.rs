//! The first batch norm of a network, whose statistics tell how the images were normalised that it was trained on.

use std::collections::HashSet;

use crate::call::takes;
use crate::error::Result;
use crate::model::OnnxModel;
use crate::proto::{GraphProto, NodeProto, ValueInfoProto};
use crate::tensor::host;

/// Nodes before it, at most: what lies deeper says less of the images.
const MOST_NODES: usize = 8;

/// What comes before the first batch norm, and what it expects of that.
pub struct FirstNorm {
    /// From the network's input to what the norm takes.
    pub before: OnnxModel,
    /// The running mean of each channel.
    pub mean: Vec<f32>,
    /// The running variance of each channel.
    pub variance: Vec<f32>,
}

impl OnnxModel {
    /// The first batch norm with fixed statistics, where it is near the input.
    ///
    /// # Errors
    /// If its statistics cannot be read.
    pub fn first_norm(&self) -> Result<Option<FirstNorm>> {
        let graph = self.graph();
        let is_norm = |n: &&NodeProto| n.op_type() == "BatchNormalization" && n.input.len() == 5;
        let Some(norm) = graph.node.iter().find(is_norm) else { return Ok(None) };
        let fixed = |name: &str| graph.initializer.iter().find(|t| t.name() == name);
        let (Some(mean), Some(variance)) = (fixed(&norm.input[3]), fixed(&norm.input[4])) else { return Ok(None) };
        let mut wanted: HashSet<&str> = HashSet::from([norm.input[0].as_str()]);
        let mut nodes = vec![];
        for node in graph.node.iter().rev().filter(|n| !is_norm(n)) {
            if node.output.iter().any(|o| wanted.contains(o.as_str())) {
                wanted.extend(takes(node));
                nodes.push(node.clone());
            }
        }
        if nodes.is_empty() || nodes.len() > MOST_NODES {
            return Ok(None);
        }
        nodes.reverse();
        let cut = GraphProto {
            node: nodes,
            initializer: graph.initializer.iter().filter(|t| wanted.contains(t.name())).cloned().collect(),
            input: graph.input.clone(),
            output: vec![ValueInfoProto { name: Some(norm.input[0].clone()), ..Default::default() }],
            ..Default::default()
        };
        let before = OnnxModel::of(self.with_graph(cut), None)?;
        Ok(Some(FirstNorm { before, mean: host(mean)?.to_floats()?, variance: host(variance)?.to_floats()? }))
    }
}
