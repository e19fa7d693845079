//! The ops of a graph, elementwise ones apart: leaves, movement, reductions and structural kernels.

use crate::custom::Custom;
use crate::dtype::{DType, Scalar};
use crate::elementwise::Elementwise;
use crate::graph::{ArenaId, ConstantId, InputId, StateId};
use std::fmt;

/// Geometry of a convolution.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConvSpec {
    /// Step of the window, rows then columns.
    pub stride: [usize; 2],
    /// Zeros put around the image: top, bottom, left, right.
    pub padding: [usize; 4],
    /// Distance between kernel taps, rows then columns.
    pub dilation: [usize; 2],
    /// Number of channel groups; equal to the channels for a depthwise convolution.
    pub groups: usize,
}

/// As a message tells it: the stride, and what else is not as usual.
impl fmt::Display for ConvSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([sh, sw], [top, bottom, left, right], [dh, dw]) = (self.stride, self.padding, self.dilation);
        write!(f, "stride {sh}x{sw}")?;
        if self.padding != [0; 4] {
            write!(f, ", padding {top}, {bottom}, {left}, {right}")?;
        }
        if [dh, dw] != [1, 1] {
            write!(f, ", dilation {dh}x{dw}")?;
        }
        if self.groups == 1 { Ok(()) } else { write!(f, ", {} groups", self.groups) }
    }
}

impl Default for ConvSpec {
    fn default() -> Self {
        ConvSpec { stride: [1, 1], padding: [0; 4], dilation: [1, 1], groups: 1 }
    }
}

impl ConvSpec {
    /// Output extent along one axis (0 rows, 1 columns), or `None` if the kernel does not fit.
    pub fn output(&self, axis: usize, input: usize, kernel: usize) -> Option<usize> {
        let padded = input.checked_add(self.padding[2 * axis])?.checked_add(self.padding[2 * axis + 1])?;
        let reach = self.dilation[axis].checked_mul(kernel.checked_sub(1)?)?.checked_add(1)?;
        Some(padded.checked_sub(reach)? / self.stride[axis].max(1) + 1)
    }
}

/// Geometry of a pooling window.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PoolSpec {
    /// Window extents, rows then columns.
    pub kernel: [usize; 2],
    /// Step of the window.
    pub stride: [usize; 2],
    /// Padding of both sides of each axis, at most half the kernel.
    pub padding: [usize; 2],
    /// Distance between taps (max pooling alone).
    pub dilation: [usize; 2],
    /// Round the output extent up; a last window that would start beyond the input and its left padding is dropped.
    pub ceil_mode: bool,
}

/// As a message tells it: `windows of 2x2, stride 2x2`, and what else is not as usual.
impl fmt::Display for PoolSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [[kh, kw], [sh, sw], [ph, pw], [dh, dw]] = [self.kernel, self.stride, self.padding, self.dilation];
        write!(f, "windows of {kh}x{kw}, stride {sh}x{sw}")?;
        if [ph, pw] != [0, 0] {
            write!(f, ", padding {ph}x{pw}")?;
        }
        if [dh, dw] != [1, 1] {
            write!(f, ", dilation {dh}x{dw}")?;
        }
        f.write_str(if self.ceil_mode { ", extents rounded up" } else { "" })
    }
}

impl PoolSpec {
    /// A square window with stride equal to its size.
    pub fn square(kernel: usize) -> PoolSpec {
        PoolSpec { kernel: [kernel; 2], stride: [kernel; 2], padding: [0; 2], dilation: [1; 2], ceil_mode: false }
    }

    /// Output extent along one axis, or `None` if the window does not fit.
    pub fn output(&self, axis: usize, input: usize) -> Option<usize> {
        let (stride, padding) = (self.stride[axis].max(1), self.padding[axis]);
        let reach = self.dilation[axis].checked_mul(self.kernel[axis].checked_sub(1)?)?.checked_add(1)?;
        let room = padding.checked_mul(2)?.checked_add(input)?.checked_sub(reach)?;
        let mut n = if self.ceil_mode { room.div_ceil(stride) } else { room / stride } + 1;
        if self.ceil_mode && (n - 1) * stride >= input + padding {
            n -= 1;
        }
        Some(n)
    }
}

/// How average pooling counts a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AvgDivisor {
    /// Padded positions count, those beyond the padding (ceil mode) do not.
    IncludePadding,
    /// Positions inside the image alone.
    ExcludePadding,
    /// This number always.
    Fixed(usize),
}

/// What a reduction keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceKind {
    /// The sum.
    Sum,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// Distribution of random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RandomKind {
    /// Uniform in [0, 1), 24 bits.
    Uniform,
    /// Standard normal, by Box and Muller.
    Normal,
}

/// Which axis of a matrix moments are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MomentsAxis {
    /// Over the rows: one result a column (batch norm over `[N*H*W, C]`).
    Rows,
    /// Over the columns: one result a row (layer norm over `[R, n]`).
    Columns,
}

/// Gradient rules of composites: the forward pass is ordinary ops, the backward pass is written by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GradientRule {
    /// Operands: value, x `[..., C]`, moments `[2, C]`, scale `[C]`, shift `[C]`: batch norm in training.
    BatchNorm {
        /// The number added to the variance.
        eps_bits: u64,
    },
    /// Operands: value, x, moments `[2, R]`: the last axes shifted and scaled to mean 0 and variance 1.
    Standardize {
        /// How many axes; the others' extents multiply to R.
        axes: usize,
        /// The number added to the variance.
        eps_bits: u64,
    },
}

/// An op. Shapes of the result stand in the node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A value given at every step.
    Input(InputId),
    /// A value that lives on the device between steps; reads see the value before this step's assignments.
    State(StateId),
    /// All states of an arena as one flat vector, padding included.
    Arena(ArenaId),
    /// A single number.
    Scalar(Scalar),
    /// Fixed data.
    Constant(ConstantId),
    /// 0, 1, 2, ... as i32, one axis.
    Iota,
    /// Random f32 numbers, Philox 4x32-10. Operands: key `u32 [3]` = seed low, seed high, step.
    Random {
        /// Distribution.
        kind: RandomKind,
        /// Distinguishes the random ops of a graph.
        salt: u32,
    },
    /// An elementwise op on operands of equal shapes.
    Map(Elementwise),
    /// Conversion to the node's type: float to int truncates, anything to bool tests for non-zero.
    Cast(DType),
    /// The same elements in the same order under another shape.
    Reshape,
    /// Axis `i` of the result is axis `perm[i]` of the operand.
    Transpose(Vec<usize>),
    /// Repeats axes of extent 1 (ranks are equal).
    Broadcast,
    /// Per axis, elements `start`, `start + step`, ... (the node's shape says how many).
    Slice {
        /// First index, per axis.
        start: Vec<usize>,
        /// Distance, per axis; may be negative.
        step: Vec<isize>,
    },
    /// Puts a constant around the operand.
    Pad {
        /// Elements put in front, per axis.
        low: Vec<usize>,
        /// Elements put behind, per axis.
        high: Vec<usize>,
        /// Their value.
        value: Scalar,
    },
    /// Joins operands along an axis.
    Concat(usize),
    /// Lays operands out as the states of an arena are, padding zero.
    Pack(ArenaId, Vec<StateId>),
    /// Reduces axes to extent 1.
    Reduce(ReduceKind, Vec<usize>),
    /// Index (i32) of the first largest (`Max`) or smallest (`Min`) along an axis, kept with extent 1.
    ArgReduce(ReduceKind, usize),
    /// Mean (row 0) and biased variance (row 1) of a matrix, by Chan's method.
    Moments(MomentsAxis),
    /// Product of matrices; leading axes are batches and broadcast.
    MatMul {
        /// The first operand is stored transposed.
        ta: bool,
        /// The second operand is stored transposed.
        tb: bool,
    },
    /// x `[N,H,W,I]`, weight `[O,KH,KW,I/groups]` to `[N,OH,OW,O]`.
    Conv2d(ConvSpec),
    /// dy `[N,OH,OW,O]`, weight to the gradient of x (shape in the node).
    Conv2dInputGrad(ConvSpec),
    /// x, dy to the gradient of the weight (shape in the node).
    Conv2dWeightGrad(ConvSpec),
    /// Largest of each window, per channel.
    MaxPool2d(PoolSpec),
    /// x to the flat position in the H x W plane (i32) of each window's first largest.
    MaxPool2dIndex(PoolSpec),
    /// x, y, dy to the gradient of x: each window's whole gradient goes to its first largest, in row-major order.
    MaxPool2dGrad(PoolSpec),
    /// Mean of each window, per channel.
    AvgPool2d(PoolSpec, AvgDivisor),
    /// dy to the gradient of x (shape in the node).
    AvgPool2dGrad(PoolSpec, AvgDivisor),
    /// Softmax, or its logarithm, along the last axis.
    Softmax {
        /// Give the logarithm.
        log: bool,
    },
    /// logits `[M,C]`, target i32 `[M]` and perhaps class weights `[C]` to the loss of each row `[M]`.
    CrossEntropy(CrossEntropySpec),
    /// logits, target, cotangent `[M]` and perhaps class weights to the gradient of the logits.
    CrossEntropyGrad(CrossEntropySpec),
    /// x, index (same rank): the result's element takes x's at the index along the axis.
    Gather(usize),
    /// source, index: the adjoint of `Gather`: adds into zeros (shape in the node).
    ScatterAdd(usize),
    /// x, index `[m]`: whole slices along the axis.
    IndexSelect(usize),
    /// source, index `[m]`: the adjoint of `IndexSelect`: adds into zeros (shape in the node).
    IndexAdd(usize),
    /// An op from outside of this crate.
    Custom(Custom),
    /// The first operand's value with a gradient rule of its own over the others.
    WithGradient(GradientRule),
}

/// Options of softmax cross-entropy with class indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CrossEntropySpec {
    /// Share of the target spread evenly over the classes, as the bits of an f64.
    pub smoothing_bits: u64,
    /// Rows with this target have no loss and no gradient.
    pub ignore_index: i32,
}

impl CrossEntropySpec {
    /// Share of the target spread evenly over the classes.
    pub fn smoothing(&self) -> f64 {
        f64::from_bits(self.smoothing_bits)
    }
}

impl Op {
    /// The op's name for messages and reports.
    pub fn name(&self) -> String {
        if let Op::Map(op) = self {
            return op.name().to_string();
        }
        if let Op::Custom(op) = self {
            return op.name().to_string();
        }
        if let Op::Reduce(kind, _) = self {
            return format!("Reduce{kind:?}");
        }
        if let Op::ArgReduce(kind, _) = self {
            return format!("Arg{kind:?}");
        }
        let text = format!("{self:?}");
        text.split(['(', '{', ' ']).next().unwrap_or_default().to_string()
    }
}
