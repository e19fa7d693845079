//! How large the rounding of a node is on a device that computes in 32 bits: of each element, the size to which it is relative.

use chiaro_cpu::reference::compute_node;
use chiaro_graph::{ConvSpec, DType, Elementwise, Graph, Node, Op, RandomKind, ReduceKind};

/// Rounding relative to the size of an element: four times that of 32 bits, for functions that are not correctly rounded and sums
/// in any order.
pub(super) const EPSILON: f64 = 4.0 / (1u64 << 24) as f64;

/// Whether a small change of an operand can become a large one of the result.
pub(super) fn is_discontinuous(op: &Op) -> bool {
    use Elementwise as E;
    let map = |e: &Elementwise| {
        matches!(
            e,
            E::Equal | E::NotEqual | E::Less | E::LessEqual | E::Greater | E::GreaterEqual // truth values
                | E::Sign | E::Floor | E::Ceil | E::Round
        )
    };
    if let Op::Map(e) = op {
        return map(e);
    }
    if let Op::Cast(to) = op {
        return !to.is_float();
    }
    matches!(op, Op::ArgReduce(..) | Op::MaxPool2dIndex(_) | Op::MaxPool2dGrad(_))
}

/// The size of each element's rounding, `EPSILON` times which it may be wrong by; none for what is copied or counted.
pub(super) fn scale(g: &Graph, node: &Node, operands: &[&[f64]], value: &[f64]) -> Option<Vec<f64>> {
    if !node.dtype.is_float() {
        return None;
    }
    let of_itself = || Some(value.iter().map(|v| v.abs()).collect());
    match &node.op {
        Op::Map(op) => elementwise(*op, operands, value),
        Op::Custom(_) => of_itself(),
        Op::Scalar(s) if node.dtype == DType::F32 && f64::from(s.value as f32) != s.value => of_itself(),
        Op::Cast(_) if !g.dtype(node.inputs[0]).is_float() => of_itself(),
        Op::Random { kind: RandomKind::Normal, .. } => Some(vec![4.0; value.len()]),
        Op::Reduce(ReduceKind::Sum, _) | Op::MatMul { .. } => absolute(g, node, operands),
        Op::AvgPool2d(..) | Op::AvgPool2dGrad(..) => absolute(g, node, operands),
        Op::ScatterAdd(_) | Op::IndexAdd(_) => magnitude(g, node, &[&sizes(operands[0]), operands[1]]),
        Op::MaxPool2dGrad(_) => magnitude(g, node, &[operands[0], operands[1], &sizes(operands[2])]),
        Op::Conv2d(spec) | Op::Conv2dInputGrad(spec) => convolution(g, node, operands, spec),
        Op::Conv2dWeightGrad(_) => absolute(g, node, operands).map(shared),
        Op::Moments(_) => moments(g, node, operands, value),
        Op::Softmax { log } => Some(softmax(node, operands, value, *log)),
        Op::CrossEntropy(_) | Op::CrossEntropyGrad(_) => Some(cross_entropy(g, node, operands, value)),
        Op::Input(_) | Op::State(_) | Op::Arena(_) | Op::Constant(_) | Op::Iota | Op::Scalar(_) => None,
        Op::Random { kind: RandomKind::Uniform, .. } | Op::Cast(_) | Op::Reshape | Op::Transpose(_) => None,
        Op::Broadcast | Op::Slice { .. } | Op::Pad { .. } | Op::Concat(_) | Op::Pack(..) => None,
        Op::Reduce(ReduceKind::Max | ReduceKind::Min, _) | Op::ArgReduce(..) => None,
        Op::MaxPool2d(_) | Op::MaxPool2dIndex(_) | Op::Gather(_) | Op::IndexSelect(_) => None,
        Op::WithGradient(_) => None,
    }
}

fn sizes(v: &[f64]) -> Vec<f64> {
    v.iter().map(|x| x.abs()).collect()
}

/// The node of other operands.
fn magnitude(g: &Graph, node: &Node, operands: &[&[f64]]) -> Option<Vec<f64>> {
    compute_node(g, node, operands)
}

/// The sum of the sizes of all terms of a node that is linear in each operand.
fn absolute(g: &Graph, node: &Node, operands: &[&[f64]]) -> Option<Vec<f64>> {
    let operands: Vec<Vec<f64>> = operands.iter().map(|v| sizes(v)).collect();
    let views: Vec<&[f64]> = operands.iter().map(|v| &v[..]).collect();
    magnitude(g, node, &views)
}

/// Winograd's method mixes the elements of a tile: each is as wrong as its neighbours are large.
fn convolution(g: &Graph, node: &Node, operands: &[&[f64]], spec: &ConvSpec) -> Option<Vec<f64>> {
    let weight = g.shape(node.inputs[1]);
    let mixes = weight[1..3] == [3, 3] && spec.stride == [1, 1] && spec.groups == 1;
    absolute(g, node, operands).map(|sizes| if mixes { shared(sizes) } else { sizes })
}

/// Sizes of which none is under a quarter of the largest.
fn shared(mut sizes: Vec<f64>) -> Vec<f64> {
    let least = sizes.iter().copied().fold(0.0, f64::max) / 4.0;
    sizes.iter_mut().for_each(|s| *s = s.max(least));
    sizes
}

/// The mean is a sum; the variance suffers from the rounding of the mean too.
fn moments(g: &Graph, node: &Node, operands: &[&[f64]], value: &[f64]) -> Option<Vec<f64>> {
    let of_sizes = absolute(g, node, operands)?;
    let n = value.len() / 2;
    let (mean, variance) = (&of_sizes[..n], &value[n..]);
    let both = variance.iter().zip(mean).map(|(v, m)| v + v.abs().sqrt() * m + EPSILON * m * m);
    Some(mean.iter().copied().chain(both).collect())
}

/// The largest size in each row of the first operand.
fn row_sizes(x: &[f64], columns: usize) -> Vec<f64> {
    x.chunks(columns.max(1)).map(|row| row.iter().fold(0.0, |m: f64, v| m.max(v.abs()))).collect()
}

fn softmax(node: &Node, operands: &[&[f64]], value: &[f64], log: bool) -> Vec<f64> {
    let columns = node.shape.last().copied().unwrap_or(1);
    let rows = row_sizes(operands[0], columns);
    let one = |(i, v): (usize, &f64)| {
        let row = 1.0 + rows[i / columns.max(1)];
        if log { v.abs() + row } else { v.abs() * 2.0 * row }
    };
    value.iter().enumerate().map(one).collect()
}

fn cross_entropy(g: &Graph, node: &Node, operands: &[&[f64]], value: &[f64]) -> Vec<f64> {
    let columns = g.shape(node.inputs[0])[1];
    let rows = row_sizes(operands[0], columns);
    let gradient = matches!(node.op, Op::CrossEntropyGrad(_));
    let weights = operands.get(if gradient { 3 } else { 2 });
    let weight = weights.map_or(1.0, |w| w.iter().fold(0.0, |m: f64, v| m.max(v.abs())));
    let one = |(i, v): (usize, &f64)| {
        let row = if gradient { i / columns.max(1) } else { i };
        let cotangent = if gradient { operands[2][row].abs() } else { 1.0 };
        v.abs() + cotangent * weight * (1.0 + rows[row])
    };
    value.iter().enumerate().map(one).collect()
}

/// What an elementwise op's rounding is relative to.
enum Relative {
    /// Nothing is rounded.
    Exact,
    /// The result.
    Result,
    /// The result and the operands.
    Operands,
    /// The result, times the operands: what comes in through the argument of an exponential.
    Argument,
    /// The result or 1, whichever is larger.
    One,
}

fn elementwise(op: Elementwise, operands: &[&[f64]], value: &[f64]) -> Option<Vec<f64>> {
    let of_operands = |i: usize| operands.iter().map(|v| v[i].abs()).sum::<f64>();
    let sizes: &dyn Fn(usize) -> f64 = match relative(op) {
        Relative::Exact => return None,
        Relative::Result => &|i| value[i].abs(),
        Relative::Operands => &|i| value[i].abs() + of_operands(i),
        Relative::Argument => &|i| value[i].abs() * (1.0 + of_operands(i)),
        Relative::One => &|i| value[i].abs().max(1.0),
    };
    Some((0..value.len()).map(sizes).collect())
}

fn relative(op: Elementwise) -> Relative {
    use Elementwise as E;
    match op {
        E::Maximum | E::Minimum | E::Where | E::Clamp | E::Neg | E::Abs | E::Sign => Relative::Exact,
        E::Equal | E::NotEqual | E::Less | E::LessEqual | E::Greater | E::GreaterEqual => Relative::Exact,
        E::And | E::Or | E::Not | E::IsFinite => Relative::Exact,
        E::Floor | E::Ceil | E::Round | E::Relu | E::Relu6 => Relative::Exact,
        E::Add | E::Sub => Relative::Operands,
        E::Mul | E::Div | E::Square | E::Reciprocal | E::Sqrt | E::Rsqrt | E::LeakyRelu => Relative::Result,
        E::Pow | E::Exp | E::Sigmoid => Relative::Argument,
        E::Log | E::Sin | E::Cos | E::Erf | E::Tanh | E::Elu | E::Selu | E::Softplus => Relative::One,
        E::Gelu | E::GeluTanh | E::Silu | E::Mish | E::Hardswish | E::Hardsigmoid => Relative::Operands,
    }
}
