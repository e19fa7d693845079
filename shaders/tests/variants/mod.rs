//! The variants of every kernel that the tests look at: shapes of every kind, every tile, both element types.

use chiaro_shaders::kernels::{Conv2d, Kernel, MatMul, MatOperand, SumParts};
use chiaro_shaders::{Elem, Tile};

/// Every variant with a label.
pub fn all() -> Vec<(String, Kernel)> {
    let mut list = Vec::new();
    for (i, tile) in Tile::ALL.iter().enumerate() {
        let elem = if i % 2 == 0 { Elem::F32 } else { Elem::F16 };
        for shape in matmuls(elem) {
            push(&mut list, format!("{tile} {shape:?}"), shape.kernel(tile));
        }
        for conv in convs(elem) {
            push(&mut list, format!("{tile} forward {conv:?}"), conv.forward(tile));
            push(&mut list, format!("{tile} dx {conv:?}"), conv.input_grad(tile));
            push(&mut list, format!("{tile} dw {conv:?}"), conv.weight_grad(tile, 3));
        }
    }
    for out in [Elem::F32, Elem::F16] {
        let sum = SumParts { parts: 5, count: 77, out };
        push(&mut list, format!("{sum:?}"), sum.kernel());
    }
    list
}

fn push<E: std::fmt::Display>(list: &mut Vec<(String, Kernel)>, label: String, kernel: Result<Kernel, E>) {
    match kernel {
        Ok(kernel) => list.push((label, kernel)),
        Err(e) => panic!("{label}: {e}"),
    }
}

/// All four transpositions, vector and scalar, batched with broadcast.
pub fn matmuls(elem: Elem) -> Vec<MatMul> {
    let mut list = Vec::new();
    for ([m, n, k], transposed) in [
        ([5, 7, 3], [false, false]),
        ([33, 18, 21], [false, true]),
        ([17, 66, 10], [true, false]),
        ([9, 1, 37], [true, true]),
        ([64, 32, 48], [false, false]),
        ([36, 20, 12], [false, true]),
        ([20, 68, 36], [true, false]),
        ([68, 36, 4], [true, true]),
        ([1, 10, 130], [false, false]),
    ] {
        let mut shape = MatMul { out: elem, ..MatMul::new(m, n, k) };
        shape.a = MatOperand { transposed: transposed[0], elem, ..Default::default() };
        shape.b = MatOperand { transposed: transposed[1], elem, ..Default::default() };
        list.push(shape);
    }
    let mut batched = list[1];
    batched.batch = [2, 3];
    batched.a.batch_strides = [33 * 21, 0];
    batched.b.batch_strides = [3 * 18 * 21, 18 * 21];
    list.push(batched);
    list
}

/// Strides, asymmetric padding, dilation, groups, few channels, 1x1, and taps that no pixel needs.
pub fn convs(elem: Elem) -> Vec<Conv2d> {
    let base = Conv2d {
        batch: 2,
        input: [7, 6],
        in_channels: 8,
        out_channels: 12,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [[1, 1], [1, 1]],
        dilation: [1, 1],
        groups: 1,
        x: elem,
        w: elem,
        y: elem,
        dx: elem,
    };
    vec![
        base,
        Conv2d { stride: [2, 2], in_channels: 16, out_channels: 16, ..base },
        Conv2d { in_channels: 3, out_channels: 5, padding: [[0, 2], [1, 0]], ..base },
        Conv2d { in_channels: 1, kernel: [5, 4], stride: [1, 2], padding: [[2, 2], [2, 1]], ..base },
        Conv2d { groups: 2, out_channels: 6, stride: [2, 3], dilation: [2, 1], ..base },
        Conv2d { groups: 4, in_channels: 16, out_channels: 16, dilation: [2, 2], stride: [2, 2], ..base },
        Conv2d { kernel: [1, 1], stride: [2, 2], padding: [[0, 0]; 2], in_channels: 9, ..base },
        Conv2d { kernel: [1, 1], stride: [3, 2], padding: [[0, 0]; 2], ..base },
        Conv2d { kernel: [7, 7], stride: [2, 2], padding: [[3, 3]; 2], in_channels: 3, ..base },
        Conv2d { input: [13, 11], kernel: [3, 2], stride: [3, 4], padding: [[0, 0]; 2], dilation: [3, 2], ..base },
    ]
}
