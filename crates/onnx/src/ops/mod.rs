//! The ops: one row each, and the function that records it.

mod branch;
mod conv;
mod einsum;
mod integer;
mod linear;
mod loss;
mod movement;
mod norm;
mod optimizer;
mod pointwise;
mod pool;
mod quantize;
mod recurrent;
mod reduce;
mod resize;
mod select;
mod slice;
mod unary;

use crate::call::Call;
use crate::error::Result;
use crate::proto::NodeProto;
use crate::record::Recorder;
use crate::value::Value;

/// An op that is known.
pub(crate) struct Op {
    pub name: &'static str,
    pub record: for<'a> fn(&mut Recorder<'a>, &Call<'a>) -> Result<Vec<Value>>,
}

macro_rules! ops {
    ($($name:ident $record:path),+ $(,)?) => {
        const OPS: &[Op] = &[$(Op { name: stringify!($name), record: $record }),+];
    };
}

ops! {
    Abs unary::record, Neg unary::record, Floor unary::record, Ceil unary::record, Round unary::record, Sign unary::record,
    Sqrt unary::record, Exp unary::record, Log unary::record, Sin unary::record, Cos unary::record, Tanh unary::record,
    Erf unary::record, Sigmoid unary::record, Relu unary::record, Reciprocal unary::record, Softplus unary::record,
    Softsign unary::record, HardSwish unary::record, Mish unary::record, Selu unary::record, Elu unary::record,
    LeakyRelu unary::record, ThresholdedRelu unary::record, Celu unary::record, Gelu unary::record, Swish unary::record,
    HardSigmoid unary::record, Not unary::record, Identity unary::record, Cast unary::record, Dropout unary::dropout,
    Clip pointwise::clip, Add pointwise::record, Sub pointwise::record, Mul pointwise::record, Div pointwise::record,
    Max pointwise::record, Min pointwise::record, Sum pointwise::record, Mean pointwise::record, Pow pointwise::record,
    And pointwise::record, Or pointwise::record, Xor pointwise::record, Equal pointwise::record,
    Greater pointwise::record, Less pointwise::record, GreaterOrEqual pointwise::record, LessOrEqual pointwise::record,
    Where pointwise::record, PRelu pointwise::prelu,
    Conv conv::conv, ConvTranspose conv::transpose,
    MaxPool pool::max, AveragePool pool::average, LpPool pool::lp, GlobalAveragePool pool::global,
    GlobalMaxPool pool::global, LRN pool::lrn,
    Gemm linear::gemm, MatMul linear::matmul, Einsum einsum::record,
    BatchNormalization norm::batch, LayerNormalization norm::layer, InstanceNormalization norm::instance,
    GroupNormalization norm::group, RMSNormalization norm::rms, Softmax norm::softmax, LogSoftmax norm::softmax,
    Hardmax norm::hardmax,
    Reshape movement::reshape, Flatten movement::flatten, Transpose movement::transpose, Squeeze movement::squeeze,
    Unsqueeze movement::unsqueeze, Expand movement::expand, Tile movement::tile, Shape movement::shape,
    Size movement::size, DepthToSpace movement::depth_to_space, SpaceToDepth movement::space_to_depth,
    Constant movement::fixed, ConstantOfShape movement::constant_of_shape, Range movement::fixed,
    Slice slice::slice, Split slice::split, Concat slice::concat, Pad slice::pad,
    Gather select::gather, GatherElements select::gather_elements, OneHot select::one_hot, TopK select::top_k,
    Trilu select::trilu, CumSum select::cum_sum,
    ReduceSum reduce::record, ReduceMean reduce::record, ReduceMax reduce::record, ReduceMin reduce::record,
    ReduceProd reduce::record, ReduceL1 reduce::record, ReduceL2 reduce::record, ReduceLogSum reduce::record,
    ReduceLogSumExp reduce::record, ReduceSumSquare reduce::record, ArgMax reduce::arg, ArgMin reduce::arg,
    QuantizeLinear quantize::quantize, DequantizeLinear quantize::dequantize,
    If branch::record, DynamicQuantizeLinear integer::dynamic, MatMulInteger integer::matmul,
    ConvInteger integer::convolution,
    Resize resize::resize, Upsample resize::upsample,
    NegativeLogLikelihoodLoss loss::nll, SoftmaxCrossEntropyLoss loss::cross_entropy,
    LSTM recurrent::lstm, GRU recurrent::gru, RNN recurrent::rnn,
    Momentum optimizer::momentum, Adagrad optimizer::adagrad, Adam optimizer::adam,
}

/// The op of a name.
pub(crate) fn find(name: &str) -> Option<&'static Op> {
    OPS.iter().find(|op| op.name == name)
}

/// Whether a node's op is known.
pub(crate) fn is_known(node: &NodeProto) -> bool {
    let domain = match node.op_type() {
        "Momentum" | "Adagrad" | "Adam" => ["ai.onnx.preview.training"; 2],
        _ => ["", "ai.onnx"],
    };
    domain.contains(&node.domain()) && find(node.op_type()).is_some()
        || ["", "ai.onnx"].contains(&node.domain()) && ["Mod"].contains(&node.op_type())
}
