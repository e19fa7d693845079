//! Kernels with their geometry, and the steps that call them.

use super::product::ProductKernel;
use super::program::{Program, Reg};
use crate::custom::{Custom, TensorType};
use crate::dtype::DType;
use crate::op::{AvgDivisor, CrossEntropySpec, MomentsAxis, ReduceKind};
pub use crate::ops::{AxisShape, ConvShape, MatMulShape, PoolShape};

/// A call of a custom op.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CustomCall {
    /// The op.
    pub op: Custom,
    /// Its operands' shapes and types.
    pub operands: Vec<TensorType>,
    /// Those of the result.
    pub result: TensorType,
}

/// What a step runs. The comment gives the kernel's own input operands, in order. Kernels marked (E) end in the step's
/// program; the others have a program that only stores `Value(0)` to one operand, row-major.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// The program alone; all operands are the program's.
    Pointwise,
    /// (E) `prologue` gives, at each point of `kept ++ reduced` axes, the values to reduce; result `i` is `Value(i)` of the
    /// program, whose domain has as many points as the kept axes, in the same row-major order. Operands are shared.
    Reduce {
        /// Code without stores; the first `kept` axes of its domain are kept.
        prologue: Program,
        /// Number of kept axes.
        kept: usize,
        /// What is reduced, and how; at least one.
        results: Vec<(Reg, ReduceKind)>,
    },
    /// (E) a, b
    MatMul(MatMulShape),
    /// (E) x, w
    Conv2d(ConvShape),
    /// (E) dy, w; the result is x-shaped
    Conv2dInputGrad(ConvShape),
    /// x, dy; the result is w-shaped
    Conv2dWeightGrad(ConvShape),
    /// x
    MaxPool2d(PoolShape),
    /// x; the result is i32
    MaxPool2dIndex(PoolShape),
    /// x, y, dy; the result is x-shaped
    MaxPool2dGrad(PoolShape),
    /// x
    AvgPool2d(PoolShape, AvgDivisor),
    /// dy; the result is x-shaped
    AvgPool2dGrad(PoolShape, AvgDivisor),
    /// x `[rows, n]`
    Softmax {
        /// Rows.
        rows: usize,
        /// Elements of a row.
        n: usize,
        /// Give the logarithm.
        log: bool,
    },
    /// logits, target, class weights if `weighted`; the result is `[rows]`
    CrossEntropy {
        /// Smoothing and ignored index.
        spec: CrossEntropySpec,
        /// Rows.
        rows: usize,
        /// Columns.
        classes: usize,
        /// A third input is there.
        weighted: bool,
    },
    /// logits, target, cotangent `[rows]`, class weights if `weighted`; the result is `[rows, classes]`
    CrossEntropyGrad {
        /// Smoothing and ignored index.
        spec: CrossEntropySpec,
        /// Rows.
        rows: usize,
        /// Columns.
        classes: usize,
        /// A fourth input is there.
        weighted: bool,
    },
    /// x; the result is i32 `[outer, inner]`
    ArgReduce(ReduceKind, AxisShape),
    /// x `[rows, columns]`; the result is `[2, columns]` (over rows) or `[2, rows]` (over columns)
    Moments {
        /// What is averaged over.
        axis: MomentsAxis,
        /// Rows of x.
        rows: usize,
        /// Columns of x.
        columns: usize,
    },
    /// x `[outer, n, inner]`, index `[outer, m, inner]`
    Gather(AxisShape),
    /// source and index `[outer, m, inner]`; the result is `[outer, n, inner]`
    ScatterAdd(AxisShape),
    /// x `[outer, n, inner]`, index `[m]`
    IndexSelect(AxisShape),
    /// source `[outer, m, inner]`, index `[m]`; the result is `[outer, n, inner]`
    IndexAdd(AxisShape),
    /// the op's operands
    Custom(CustomCall),
}

impl Kernel {
    /// True for kernels marked (E).
    pub fn has_epilogue(&self) -> bool {
        matches!(self, Kernel::Reduce { .. } | Kernel::MatMul(_) | Kernel::Conv2d(_) | Kernel::Conv2dInputGrad(_))
    }

    /// The kernel's name for reports.
    pub fn name(&self) -> String {
        if let Kernel::Custom(call) = self {
            return call.op.name().to_string();
        }
        let text = format!("{self:?}");
        text.split(['(', '{', ' ']).next().unwrap_or_default().to_string()
    }
}

/// How a step uses an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Only read, and nothing of its buffer is written by the step.
    Read,
    /// Only written.
    Write,
    /// Read and written by the same point of the domain, or read while another part of the buffer is written.
    ReadWrite,
}

/// A contiguous region of a buffer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operand {
    /// Index into [`Plan::buffers`](super::Plan).
    pub buffer: usize,
    /// First element.
    pub offset: usize,
    /// Number of elements.
    pub len: usize,
    /// Stored type.
    pub dtype: DType,
    /// How it is used.
    pub access: Access,
}

impl Operand {
    /// Bytes read and written by a call, once each.
    pub fn bytes(&self) -> u64 {
        let times = if self.access == Access::ReadWrite { 2 } else { 1 };
        (self.len * self.dtype.size() * times) as u64
    }
}

/// How a register of a step's program is reduced over all points that share their position on the last axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// The sum: one value.
    Sum,
    /// Mean and biased variance, two values, by a method that keeps its digits where the mean is many times the spread.
    Moments,
}

impl ColumnKind {
    /// Values that it gives for each column.
    pub fn values(self) -> usize {
        match self {
            ColumnKind::Sum => 1,
            ColumnKind::Moments => 2,
        }
    }
}

/// Reductions of a kernel's results down the columns of the program's last axis, made while the results are at hand.
#[derive(Clone, Debug)]
pub struct Columns {
    /// Registers of the step's program, and what they are reduced to; sums alone, or moments alone.
    pub results: Vec<(Reg, ColumnKind)>,
    /// Runs once for each column, its domain; the results' values are `Value(0)`, `Value(1)`, ... in order.
    pub program: Program,
}

impl Columns {
    /// Values of each column.
    pub fn values(&self) -> usize {
        self.results.iter().map(|(_, kind)| kind.values()).sum()
    }
}

/// A kernel's input that is computed as it is read.
#[derive(Clone, Debug)]
pub struct Load {
    /// Code over the shape of the input. The operand that [`Step::inputs`] names for it is read point by point. It has a store, of the input's
    /// value at every point, where later calls read that too ([`PlanOptions::keeps`](super::PlanOptions)).
    pub program: Program,
    /// The input's value.
    pub reg: Reg,
}

/// One kernel call.
#[derive(Clone, Debug)]
pub struct Step {
    /// What runs.
    pub kernel: Kernel,
    /// The pointwise code, or the epilogue.
    pub program: Program,
    /// The kernel's own inputs, then the program's operands; no region appears twice.
    pub operands: Vec<Operand>,
    /// Positions in `operands` of the kernel's own inputs.
    pub inputs: Vec<usize>,
    /// Code of each input that is computed as it is read, where [`PlanOptions::loads`](super::PlanOptions) allows it.
    pub loads: Vec<Option<Load>>,
    /// Reductions of the program's registers, where [`PlanOptions::columns`](super::PlanOptions) allows them.
    pub columns: Option<Columns>,
    /// Room the backend asked for, as f32 elements; its content means nothing before and after the step.
    pub scratch: Option<Operand>,
    /// Layer path and op, for profiles and messages.
    pub label: String,
}

impl Step {
    /// The operand that a kernel without an epilogue of its own writes.
    pub fn output(&self) -> &Operand {
        &self.operands[self.program.stores[0].operand]
    }

    /// Bytes read and written, each operand counted once: of a set of images those that are taken alone, of an image the pixels that some window
    /// of a convolution has.
    pub fn bytes(&self) -> u64 {
        (0..self.operands.len()).map(|operand| self.operand_bytes(operand)).sum()
    }

    /// Those of one operand.
    pub fn operand_bytes(&self, operand: usize) -> u64 {
        self.operands[operand].bytes().saturating_sub(self.unread(operand))
    }

    /// Bytes of an operand that the call leaves alone.
    fn unread(&self, operand: usize) -> u64 {
        let size = self.operands[operand].dtype.size();
        let bytes = |elements: usize| (elements * size) as u64;
        if let Kernel::Custom(call) = &self.kernel {
            let reads = call.op.reads(&call.operands, &call.result);
            let given = call.operands.iter().zip(reads).zip(&self.inputs).filter(|(_, input)| **input == operand);
            // An operand that is given twice is there once.
            return given.map(|((of, read), _)| bytes(of.len().saturating_sub(read))).min().unwrap_or(0);
        }
        match self.kernel.as_product() {
            Some(ProductKernel::Conv2d(shape) | ProductKernel::WeightGrad(shape)) if self.inputs[0] == operand => {
                bytes(shape.pixels_between_windows() * shape.x[3])
            }
            Some(ProductKernel::Conv2d(_) | ProductKernel::WeightGrad(_)) => 0,
            Some(ProductKernel::MatMul(_) | ProductKernel::InputGrad(_)) | None => 0,
        }
    }
}
