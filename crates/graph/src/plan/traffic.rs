//! What a step moves through memory beside its weights: activations, their gradients, and inputs.

use super::{Access, BufferKind, Kernel, Plan, Step};
use crate::dtype::DType;

impl Plan {
    /// Bytes read and written of each type, each operand of a call counted once, weights, their gradients and the optimizer's
    /// vectors left out: arenas, packed gradients, the weights of convolutions, and what is made of nothing but these.
    pub fn activation_traffic(&self) -> Vec<(DType, u64)> {
        let mut traffic: Vec<(DType, u64)> = vec![];
        for step in &self.steps {
            let counted = (0..step.operands.len()).filter(|&i| !self.is_weight(step, i));
            if counted.clone().all(|i| step.operands[i].access == Access::Write) && self.reads_held(step) {
                continue;
            }
            for operand in counted {
                let (held, bytes) = (step.operands[operand].dtype, step.operand_bytes(operand));
                match traffic.iter_mut().find(|(dtype, _)| *dtype == held) {
                    Some((_, sum)) => *sum += bytes,
                    None => traffic.push((held, bytes)),
                }
            }
        }
        traffic
    }

    fn is_weight(&self, step: &Step, operand: usize) -> bool {
        let product = matches!(step.kernel, Kernel::Conv2d(_) | Kernel::Conv2dInputGrad(_));
        self.is_held(step.operands[operand].buffer) || product && step.inputs[1] == operand
    }

    fn is_held(&self, buffer: usize) -> bool {
        matches!(self.buffers[buffer].kind, BufferKind::Arena(_) | BufferKind::Zeroed)
    }

    fn reads_held(&self, step: &Step) -> bool {
        step.operands.iter().any(|o| o.access != Access::Write && self.is_held(o.buffer))
    }
}
