//! Results of kernels that have more digits than 16 bits hold.
//!
//! Products and sums are added in 32 bits whatever they are stored in. Gradients of products are recorded as the 32-bit value and
//! its rounding; whoever wants the digits takes the value from in front of the rounding, which then is computed by nobody.

use crate::dtype::DType;
use crate::elementwise::Elementwise;
use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::Op;

impl Graph {
    /// A 16-bit value in 32 bits, with the digits that it had before it was rounded, where reshaping and adding alone lie between.
    /// So gradients of 16-bit copies of weights become those of the weights. A 32-bit value stays as it is.
    ///
    /// # Errors
    /// If x is of another graph.
    pub fn widened(&mut self, x: Var) -> Result<Var> {
        self.check_own("widened", &[x])?;
        Ok(self.wide(x))
    }

    fn wide(&mut self, x: Var) -> Var {
        let node = self.node(x).clone();
        if node.dtype != DType::F16 {
            return x;
        }
        if matches!(node.op, Op::Cast(_)) && self.dtype(node.inputs[0]) == DType::F32 {
            return node.inputs[0];
        }
        if matches!(node.op, Op::Reshape | Op::Map(Elementwise::Add)) {
            let inputs = node.inputs.iter().map(|&v| self.wide(v)).collect();
            return self.push(node.op, inputs, node.shape, DType::F32);
        }
        self.converted(x, DType::F32)
    }

    /// The same product, made in 32 bits and then rounded to its type.
    pub(crate) fn rounded_last(&mut self, product: Var) -> Var {
        let node = self.node(product).clone();
        if node.dtype != DType::F16 {
            return product;
        }
        let wide = self.push(node.op, node.inputs, node.shape, DType::F32);
        self.converted(wide, DType::F16)
    }
}
