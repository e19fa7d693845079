//! From PyTorch's layouts to channels last: `[N,C,H,W]` to `[N,H,W,C]`, `[O,I,KH,KW]` to `[O,KH,KW,I]`.

use chiaro_graph::{Data, Tensor};

/// Ops whose tensors are images, or rows with channels in the second axis.
const CHANNEL_OPS: &[&str] = &[
    "conv2d",
    "conv_transpose2d",
    "max_pool2d",
    "avg_pool2d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "batch_norm",
    "group_norm",
    "interpolate",
];

/// Losses over classes, whose axis is the second of the logits, but which their targets, losses and cotangents lack.
const CLASS_OPS: &[&str] = &["cross_entropy", "nll_loss"];

/// A tensor of a case in the layout of the engine. Weights move their axis 1 too: it holds the input channels of
/// `conv2d` (the output channels of `conv_transpose2d`), which are innermost here.
pub(super) fn channels_last(op: &str, role: &str, tensor: &Tensor) -> Tensor {
    let of_classes = match role.strip_prefix("grad_").unwrap_or(role) {
        "input" => true,
        "target" => tensor.dtype().is_float(),
        _ => false,
    };
    let has_channels = CHANNEL_OPS.contains(&op) || (CLASS_OPS.contains(&op) && of_classes);
    if has_channels && tensor.shape().len() > 2 { second_axis_last(tensor) } else { tensor.clone() }
}

/// Moves axis 1 behind all others.
pub fn second_axis_last(tensor: &Tensor) -> Tensor {
    let shape = tensor.shape();
    let (n, c): (usize, usize) = (shape[0], shape[1]);
    let plane: usize = shape[2..].iter().product();
    let mut order = Vec::with_capacity(n * c * plane);
    for i in 0..n {
        for p in 0..plane {
            order.extend((0..c).map(|k| (i * c + k) * plane + p));
        }
    }
    let data = match tensor.data() {
        Data::F32(v) => Data::F32(order.iter().map(|&i| v[i]).collect()),
        Data::F16(v) => Data::F16(order.iter().map(|&i| v[i]).collect()),
        Data::I32(v) => Data::I32(order.iter().map(|&i| v[i]).collect()),
        Data::U32(v) => Data::U32(order.iter().map(|&i| v[i]).collect()),
        Data::Bool(v) => Data::Bool(order.iter().map(|&i| v[i]).collect()),
    };
    let mut moved = vec![n];
    moved.extend(&shape[2..]);
    moved.push(c);
    Tensor::new(moved, data).unwrap_or_else(|| tensor.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_go_innermost() {
        let t = Tensor::i32(vec![1, 2, 1, 3], vec![0, 1, 2, 10, 11, 12]).expect("six elements");
        let moved = second_axis_last(&t);
        assert_eq!(moved.shape(), [1, 1, 3, 2]);
        assert_eq!(moved.as_i32(), Some(&[0, 10, 1, 11, 2, 12][..]));
    }
}
