//! Which inputs select by index, and what their elements may be: so that a label outside is an error on the host, before a step runs.
//!
//! Ops that select ask for a bound of their index. Where it is an input, or a view of one, the bound stays with the input; where it is
//! fixed data it is checked at once; where the device computes it nothing is known, and kernels clamp.

use crate::dtype::DType;
use crate::error::{GraphError, Result};
use crate::graph::{Graph, Var};
use crate::op::Op;
use crate::shape::{count, strides};
use crate::tensor::{Data, Tensor};

/// What the elements of an index may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexBound {
    /// They are from 0 to one less than this.
    pub extent: usize,
    /// Or this.
    pub ignored: Option<i32>,
    /// What they select, for messages: `cross_entropy over 10 classes`.
    pub of: String,
    /// Flat positions of those that select; `None` for all.
    pub elements: Option<Vec<usize>>,
}

impl IndexBound {
    /// What is wrong with an index, if anything: `value 9 at [3] is outside 0..3 (cross_entropy over 3 classes)`.
    pub fn violation(&self, index: &Tensor) -> Option<String> {
        let value = |i: usize| match index.data() {
            Data::I32(v) => v.get(i).map(|&x| i64::from(x)),
            Data::U32(v) => v.get(i).map(|&x| i64::from(x)),
            Data::F32(_) | Data::F16(_) | Data::Bool(_) => None,
        };
        let wrong = |i: &usize| value(*i).is_some_and(|x| self.refuses(x));
        let at = match &self.elements {
            Some(elements) => elements.iter().copied().find(wrong),
            None => (0..index.data().len()).find(wrong),
        }?;
        let place: Vec<usize> =
            index.shape().iter().zip(strides(index.shape())).map(|(&n, stride)| at / stride % n).collect();
        Some(format!("value {} at {place:?} is outside 0..{} ({})", value(at)?, self.extent, self.of))
    }

    fn refuses(&self, index: i64) -> bool {
        !(0..self.extent as i64).contains(&index) && self.ignored.map(i64::from) != Some(index)
    }
}

/// A leaf from which an index comes, and which of its elements; `None` for all.
type Leaf = (Var, Option<Vec<usize>>);

impl Graph {
    /// Asks that an index select one of `extent`, or be `ignored`.
    pub(crate) fn bound_index(&mut self, op: &str, index: Var, extent: usize, ignored: Option<i32>) -> Result<()> {
        for (leaf, elements) in self.leaves(index) {
            let bound = IndexBound { extent, ignored, of: op.to_string(), elements };
            match self.node(leaf).op {
                Op::Input(id) => {
                    let known = &mut self.inputs[id.0].indices;
                    let same = |b: &IndexBound| {
                        (b.extent, b.ignored, &b.elements) == (bound.extent, bound.ignored, &bound.elements)
                    };
                    if !known.iter().any(same) {
                        known.push(bound);
                    }
                }
                Op::Constant(id) => {
                    if let Some(detail) = bound.violation(&self.constants[id.0]) {
                        return Err(GraphError::Index { op: op.to_string(), detail, path: self.scope() });
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Inputs and fixed data of which a value shows elements.
    fn leaves(&self, v: Var) -> Vec<Leaf> {
        let node = self.node(v);
        match &node.op {
            Op::Input(_) | Op::Constant(_) => vec![(v, None)],
            Op::Reshape | Op::Transpose(_) | Op::Broadcast | Op::Pad { .. } => self.leaves(node.inputs[0]),
            Op::Cast(_) if self.is_whole(node.inputs[0]) => self.leaves(node.inputs[0]),
            Op::Concat(_) => node.inputs.iter().flat_map(|&part| self.leaves(part)).collect(),
            Op::Slice { .. } => self.picked(v, (0..count(&node.shape)).collect()),
            _ => vec![],
        }
    }

    fn is_whole(&self, v: Var) -> bool {
        matches!(self.dtype(v), DType::I32 | DType::U32)
    }

    /// The leaf behind some elements of a value, if only views lie between.
    fn picked(&self, v: Var, elements: Vec<usize>) -> Vec<Leaf> {
        let node = self.node(v);
        let source = match (&node.op, node.inputs.first()) {
            (Op::Input(_) | Op::Constant(_), _) => return vec![(v, Some(elements))],
            (Op::Reshape, Some(&x)) => return self.picked(x, elements),
            (Op::Cast(_), Some(&x)) if self.is_whole(x) => return self.picked(x, elements),
            (_, Some(&x)) => x,
            (_, None) => return vec![],
        };
        let from = strides(self.shape(source));
        // The element at coordinates c is the source's at the sum of (first + c step) stride.
        let axes: Vec<(usize, isize, usize)> = match &node.op {
            Op::Transpose(perm) => perm.iter().map(|&p| (0, 1, from[p])).collect(),
            Op::Broadcast => {
                let repeated = |i: usize| if self.shape(source)[i] == 1 { 0 } else { from[i] };
                (0..from.len()).map(|i| (0, 1, repeated(i))).collect()
            }
            Op::Slice { start, step } => (0..from.len()).map(|i| (start[i], step[i], from[i])).collect(),
            _ => return vec![],
        };
        let own = strides(&node.shape);
        let behind = |flat: usize| {
            let along = |i: usize| {
                let (first, step, stride) = axes[i];
                first.wrapping_add_signed((flat / own[i] % node.shape[i]) as isize * step) * stride
            };
            (0..axes.len()).map(along).sum()
        };
        self.picked(source, elements.into_iter().map(behind).collect())
    }
}
