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

/// What a value shows of its operands.
enum Shows {
    /// It is a leaf.
    Own,
    /// All elements of the operand, in their order.
    All,
    /// All elements, and numbers around them.
    Padded,
    /// Along each axis: the operand's first index, its step, and its stride. `whole` where no element is left out.
    View { axes: Vec<(usize, isize, usize)>, whole: bool },
    /// All elements of all operands.
    Joined,
    /// Something computed, or what no host knows.
    Nothing,
}

impl Graph {
    /// Asks that an index select one of `extent`, or be `ignored`.
    pub(crate) fn bound_index(&mut self, op: &str, index: Var, extent: usize, ignored: Option<i32>) -> Result<()> {
        for (leaf, elements) in self.leaves(index) {
            let bound = IndexBound { extent, ignored, of: op.to_string(), elements };
            if let Op::Input(id) = self.node(leaf).op {
                let known = &mut self.inputs[id.0].indices;
                let same = |b: &IndexBound| {
                    (b.extent, b.ignored, &b.elements) == (bound.extent, bound.ignored, &bound.elements)
                };
                if !known.iter().any(same) {
                    known.push(bound);
                }
            } else if let Op::Constant(id) = self.node(leaf).op
                && let Some(detail) = bound.violation(&self.constants[id.0])
            {
                return Err(GraphError::Index { op: op.to_string(), detail, path: self.scope() });
            }
        }
        Ok(())
    }

    /// Inputs and fixed data of which a value shows elements.
    fn leaves(&self, v: Var) -> Vec<Leaf> {
        let operands = &self.node(v).inputs;
        match self.shows(v) {
            Shows::Own => vec![(v, None)],
            Shows::All | Shows::Padded | Shows::View { whole: true, .. } => self.leaves(operands[0]),
            Shows::View { whole: false, .. } => self.picked(v, (0..count(self.shape(v))).collect()),
            Shows::Joined => operands.iter().flat_map(|&part| self.leaves(part)).collect(),
            Shows::Nothing => vec![],
        }
    }

    /// The leaf behind some elements of a value, if only views lie between.
    fn picked(&self, v: Var, elements: Vec<usize>) -> Vec<Leaf> {
        let axes = match self.shows(v) {
            Shows::Own => return vec![(v, Some(elements))],
            Shows::All => return self.picked(self.node(v).inputs[0], elements),
            Shows::View { axes, .. } => axes,
            Shows::Padded | Shows::Joined | Shows::Nothing => return vec![],
        };
        let (shape, own) = (self.shape(v), strides(self.shape(v)));
        let behind = |flat: usize| {
            let along = |i: usize| {
                let (first, step, stride) = axes[i];
                first.wrapping_add_signed((flat / own[i] % shape[i]) as isize * step) * stride
            };
            (0..axes.len()).map(along).sum()
        };
        self.picked(self.node(v).inputs[0], elements.into_iter().map(behind).collect())
    }

    /// What a value shows of its operands.
    fn shows(&self, v: Var) -> Shows {
        let node = self.node(v);
        let from = node.inputs.first().map(|&x| self.shape(x)).unwrap_or_default();
        let row = strides(from);
        match &node.op {
            Op::Input(_) | Op::Constant(_) => Shows::Own,
            Op::Reshape => Shows::All,
            Op::Cast(_) if matches!(self.dtype(node.inputs[0]), DType::I32 | DType::U32) => Shows::All,
            Op::Transpose(perm) => Shows::View { axes: perm.iter().map(|&p| (0, 1, row[p])).collect(), whole: true },
            Op::Broadcast => {
                let repeated = |i: usize| if from[i] == 1 { 0 } else { row[i] };
                Shows::View { axes: (0..from.len()).map(|i| (0, 1, repeated(i))).collect(), whole: true }
            }
            Op::Slice { start, step } => {
                Shows::View { axes: (0..from.len()).map(|i| (start[i], step[i], row[i])).collect(), whole: false }
            }
            Op::Pad { .. } => Shows::Padded,
            Op::Concat(_) => Shows::Joined,
            Op::State(_) | Op::Arena(_) | Op::Scalar(_) | Op::Iota | Op::Random { .. } | Op::Map(_) | Op::Cast(_) => {
                Shows::Nothing
            }
            Op::Pack(..) | Op::Reduce(..) | Op::ArgReduce(..) | Op::Moments(_) | Op::MatMul { .. } => Shows::Nothing,
            Op::Conv2d(_) | Op::Conv2dInputGrad(_) | Op::Conv2dWeightGrad(_) | Op::Softmax { .. } => Shows::Nothing,
            Op::MaxPool2d(_) | Op::MaxPool2dIndex(_) | Op::MaxPool2dGrad(_) => Shows::Nothing,
            Op::AvgPool2d(..) | Op::AvgPool2dGrad(..) | Op::CrossEntropy(_) | Op::CrossEntropyGrad(_) => Shows::Nothing,
            Op::Gather(_) | Op::ScatterAdd(_) | Op::IndexSelect(_) | Op::IndexAdd(_) => Shows::Nothing,
            Op::Custom(_) | Op::WithGradient(_) => Shows::Nothing,
        }
    }
}
