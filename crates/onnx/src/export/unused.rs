//! What nobody takes: runtimes warn of it each time they load a file.

use std::collections::HashSet;

use crate::proto::{NodeProto, TensorProto};

/// Drops nodes on which no output depends, and fixed tensors that no node takes. The nodes are sorted, operands first.
pub(super) fn drop_unused(nodes: &mut Vec<NodeProto>, tensors: &mut Vec<TensorProto>, outputs: &[&str]) {
    let mut wanted: HashSet<String> = outputs.iter().map(|name| name.to_string()).collect();
    let mut kept = vec![];
    for node in std::mem::take(nodes).into_iter().rev() {
        if node.output.iter().any(|output| wanted.contains(output)) {
            wanted.extend(node.input.iter().cloned());
            kept.push(node);
        }
    }
    kept.reverse();
    *nodes = kept;
    tensors.retain(|tensor| wanted.contains(tensor.name()));
}
