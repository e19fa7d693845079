//! How near a backend must come to a golden value.

use super::GoldenCase;
use chiaro_graph::Tensor;

/// The bound of one tensor of a case.
#[derive(Clone, Copy, Debug)]
pub(super) struct GoldenLimit {
    /// Largest normwise relative error.
    pub relative: f64,
    /// Also compare element by element, `|a - b| <= 1e-6 + 1e-5 |b|`.
    pub elementwise: bool,
}

/// Ops whose results are copies of elements of their operands.
const SELECTIONS: &[&str] = &[
    "relu",
    "max_pool2d",
    "adaptive_max_pool2d",
    "pad",
    "cat",
    "permute_reshape",
    "transpose",
    "gather",
    "index_select",
    "embedding",
    "where",
    "maximum",
    "minimum",
    "max",
    "min",
    "amax",
    "amin",
    "clamp",
];

/// The bound of a tensor; `inner` is the number of products summed in each element of the output (products of matrices and
/// convolutions).
pub(super) fn limit(
    family: &str,
    case: &GoldenCase,
    role: &str,
    output: &Tensor,
    tensor: &Tensor,
    inner: usize,
) -> GoldenLimit {
    let elementwise = family == "activations";
    if role == "output" && SELECTIONS.contains(&case.op.as_str()) {
        return GoldenLimit { relative: 1e-7, elementwise };
    }
    if ["matmul", "linear", "conv2d", "conv_transpose2d"].contains(&family) {
        // Each product of the output counts once in each gradient, so that an element of a gradient sums this many.
        let outputs = output.data().len();
        let products = if role == "grad_bias" { outputs } else { outputs * inner };
        let terms = products.div_ceil(tensor.data().len().max(1));
        return GoldenLimit { relative: (2e-7 * (terms as f64).sqrt()).max(2e-6), elementwise };
    }
    GoldenLimit { relative: 1e-5, elementwise }
}
