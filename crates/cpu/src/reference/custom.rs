//! Ops from outside: their own code in 64 bits.

use super::value::Value;
use chiaro_graph::{Custom, Node, TensorType};

pub(super) fn compute(op: &Custom, operands: &[Value<'_>], node: &Node) -> Vec<f64> {
    let types: Vec<TensorType> =
        operands.iter().map(|v| TensorType { shape: v.shape.to_vec(), dtype: v.dtype }).collect();
    let given: Vec<(&TensorType, &[f64])> = types.iter().zip(operands).map(|(t, v)| (t, v.data)).collect();
    op.reference(&given, &TensorType { shape: node.shape.to_vec(), dtype: node.dtype })
}
