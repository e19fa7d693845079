//! 16-bit values whose kernels have more digits than are stored.

use crate::dtype::DType;
use crate::elementwise::Elementwise;
use crate::graph::{Graph, Var};
use crate::op::{Op, ReduceKind};

impl Graph {
    /// A 16-bit value in 32 bits. Products of matrices, weight gradients of convolutions and sums, and what is made of them by
    /// reshaping and adding, are then never rounded to 16 bits: their kernels add in 32 bits and store what they have. Anything
    /// else is converted; a 32-bit value stays as it is. Gradients of 16-bit copies of weights become those of the weights so.
    pub fn widened(&mut self, x: Var) -> Var {
        let node = self.node(x).clone();
        if node.dtype != DType::F16 {
            return x;
        }
        let inputs = match node.op {
            Op::MatMul { .. } | Op::Conv2dWeightGrad(_) | Op::Reduce(ReduceKind::Sum, _) => node.inputs,
            Op::Reshape | Op::Map(Elementwise::Add) => node.inputs.iter().map(|&v| self.widened(v)).collect(),
            _ => return self.cast(x, DType::F32),
        };
        self.push(node.op, inputs, node.shape, DType::F32)
    }
}
