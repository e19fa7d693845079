//! The variants of every kernel that the tests look at: shapes of every kind, every tile, both element types.

use chiaro_shaders::kernels::{
    AlongAxis, Conv2d, CrossEntropy, Divisor, MatMul, MatOperand, Pool2d, Rows, ShaderKernel, SumParts, Transforms,
    WinogradGrid,
};
use chiaro_shaders::{ColumnReduction, Elem, Memory, Tile};

/// Every variant with a label.
pub fn all() -> Vec<(String, ShaderKernel)> {
    let mut list = Vec::new();
    for (i, tile) in Tile::ALL.iter().enumerate() {
        let elem = if i % 2 == 0 { Elem::F32 } else { Elem::F16 };
        for shape in matmuls(elem) {
            push(&mut list, format!("{tile} {shape:?}"), shape.kernel(tile, 1));
            push(&mut list, format!("{tile} {shape:?} in parts"), shape.kernel(tile, 3));
        }
        for conv in convs(elem) {
            push(&mut list, format!("{tile} forward {conv:?}"), conv.forward(tile));
            push(&mut list, format!("{tile} dx {conv:?}"), conv.input_grad(tile));
            push(&mut list, format!("{tile} dw {conv:?}"), conv.weight_grad(tile, 3));
        }
        if tile.memory != Memory::Direct {
            reducing(&mut list, tile, elem);
        }
    }
    for elem in [Elem::F32, Elem::F16] {
        let sum = SumParts { parts: 5, count: 77, out: elem };
        push(&mut list, format!("{sum:?}"), sum.kernel());
        structural(&mut list, elem);
    }
    transforms(&mut list);
    list
}

/// Products that reduce the columns of their results too.
fn reducing(list: &mut Vec<(String, ShaderKernel)>, tile: &Tile, elem: Elem) {
    let all = [ColumnReduction::Moments, ColumnReduction::Sums(1), ColumnReduction::Sums(2), ColumnReduction::Sums(3)];
    for columns in all.into_iter().filter(|&c| tile.reduces(c)) {
        let shape = MatMul { columns, ..matmuls(elem)[4] };
        push(list, format!("{tile} {shape:?}"), shape.kernel(tile, 1));
        for conv in convs(elem).into_iter().filter(|c| !c.is_depthwise()).take(4) {
            let conv = Conv2d { columns, ..conv };
            push(list, format!("{tile} forward {conv:?}"), conv.forward(tile));
            push(list, format!("{tile} dx {conv:?}"), conv.input_grad(tile));
        }
    }
}

/// The transforms around Winograd's products.
fn transforms(list: &mut Vec<(String, ShaderKernel)>) {
    let all = [ColumnReduction::None, ColumnReduction::Moments, ColumnReduction::Sums(1), ColumnReduction::Sums(3)];
    for output in [[7, 5], [14, 14], [12, 20]] {
        let grid = WinogradGrid { batch: 3, input: output, padding: [1, 1], output };
        push(list, format!("tiles {grid:?}"), Transforms(grid).input(20));
        push(list, format!("operands {grid:?}"), Transforms(grid).operands(20, [20, 12], true, false));
        push(list, format!("gradient tiles {grid:?}"), Transforms(grid).output_grad(12, false));
        for columns in all {
            push(list, format!("results {columns:?} {grid:?}"), Transforms(grid).output(68, columns));
        }
    }
    push(list, "gradients of filters".into(), Transforms::filter_grad(12, 20, 3));
}

/// The kernels that are no products.
fn structural(list: &mut Vec<(String, ShaderKernel)>, elem: Elem) {
    for pool in pools(elem) {
        push(list, format!("max {pool:?}"), pool.max_forward());
        push(list, format!("max index {pool:?}"), pool.max_index());
        push(list, format!("max gradient {pool:?}"), pool.max_grad());
        if pool.has_taps() {
            push(list, format!("max taps {pool:?}"), pool.max_taps());
            push(list, format!("max gradient by taps {pool:?}"), pool.max_grad_by_taps());
        }
        for divisor in [Divisor::IncludePadding, Divisor::ExcludePadding, Divisor::Fixed(3)] {
            let pool = Pool2d { dilation: [1, 1], ..pool };
            push(list, format!("average {divisor:?} {pool:?}"), pool.average_forward(divisor));
            push(list, format!("average gradient {divisor:?} {pool:?}"), pool.average_grad(divisor));
        }
    }
    for rows in matrices(elem) {
        for log in [false, true] {
            push(list, format!("softmax {log} {rows:?}"), rows.softmax(log));
        }
        for options in losses() {
            push(list, format!("{options:?} {rows:?}"), rows.cross_entropy(options));
            push(list, format!("gradient {options:?} {rows:?}"), rows.cross_entropy_grad(options));
        }
        push(list, format!("moments of rows {rows:?}"), rows.moments_of_rows());
        push(list, format!("moments of columns {rows:?}"), rows.moments_of_columns());
        push(list, format!("merge moments {rows:?}"), rows.merge_moments());
    }
    for axis in axes() {
        push(list, format!("largest {axis:?}"), axis.arg_reduce(false, elem.wgsl()));
        push(list, format!("smallest {axis:?}"), axis.arg_reduce(true, elem.wgsl()));
        push(list, format!("largest integer {axis:?}"), axis.arg_reduce(false, "i32"));
        push(list, format!("gather {axis:?}"), axis.gather(elem.wgsl()));
        push(list, format!("gather i32 {axis:?}"), axis.gather("i32"));
        push(list, format!("select {axis:?}"), axis.index_select(elem.wgsl()));
        push(list, format!("scatter {axis:?}"), axis.scatter_add(elem, Elem::F32));
        push(list, format!("index add {axis:?}"), axis.index_add(elem, elem));
    }
}

/// Products and convolutions by cooperative matrices, which HLSL and older validators do not know.
pub fn cooperative() -> Vec<(String, ShaderKernel)> {
    let mut list = Vec::new();
    for tile in &Tile::COOPERATIVE {
        for shape in matmuls(Elem::F16) {
            push(&mut list, format!("{tile} {shape:?}"), shape.kernel(tile, 1));
            push(&mut list, format!("{tile} {shape:?} in parts"), shape.kernel(tile, 3));
        }
        for conv in convs(Elem::F16) {
            push(&mut list, format!("{tile} forward {conv:?}"), conv.forward(tile));
            push(&mut list, format!("{tile} dx {conv:?}"), conv.input_grad(tile));
            push(&mut list, format!("{tile} dw {conv:?}"), conv.weight_grad(tile, 3));
        }
        reducing(&mut list, tile, Elem::F16);
    }
    list
}

fn push<E: std::fmt::Display>(list: &mut Vec<(String, ShaderKernel)>, label: String, kernel: Result<ShaderKernel, E>) {
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
        out: None,
        x: elem,
        w: elem,
        y: elem,
        dx: elem,
        columns: ColumnReduction::None,
        keeps: false,
        fours: false,
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
        Conv2d { groups: 8, out_channels: 8, ..base },
        Conv2d { groups: 8, out_channels: 8, fours: true, ..base },
        // A short last strip, and a block of channels that is not full.
        Conv2d { groups: 68, in_channels: 68, out_channels: 68, input: [5, 13], fours: true, ..base },
        Conv2d {
            groups: 8,
            out_channels: 8,
            kernel: [5, 4],
            stride: [1, 2],
            padding: [[2, 2], [2, 1]],
            fours: true,
            ..base
        },
        Conv2d { groups: 8, out_channels: 8, stride: [2, 3], dilation: [2, 1], fours: true, ..base },
        Conv2d { dilation: [2, 1], out: Some([3, 4]), ..base },
        Conv2d { groups: 8, out_channels: 8, stride: [2, 1], out: Some([2, 3]), ..base },
        Conv2d { groups: 8, out_channels: 24, stride: [2, 1], dilation: [1, 2], padding: [[0, 1], [2, 0]], ..base },
        Conv2d { input: [13, 11], kernel: [3, 2], stride: [3, 4], padding: [[0, 0]; 2], dilation: [3, 2], ..base },
    ]
}

/// Overlapping, padded, dilated and ceil-mode windows.
pub fn pools(elem: Elem) -> Vec<Pool2d> {
    let base = Pool2d {
        batch: 2,
        input: [7, 6],
        channels: 3,
        output: [3, 3],
        kernel: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
        dilation: [1, 1],
        x: elem,
        dy: elem,
        dx: elem,
        fours: false,
    };
    let fours = Pool2d { channels: 12, fours: true, ..base };
    vec![
        base,
        fours,
        Pool2d { kernel: [3, 3], stride: [2, 2], padding: [1, 1], output: [4, 3], ..base },
        Pool2d { kernel: [3, 3], stride: [2, 2], padding: [1, 1], output: [4, 3], ..fours },
        Pool2d { kernel: [3, 2], stride: [2, 3], padding: [1, 1], output: [4, 3], ..fours },
        Pool2d { kernel: [2, 3], stride: [1, 1], padding: [1, 1], dilation: [3, 2], output: [6, 4], ..fours },
        // Ceil mode: the last windows reach beyond the padding.
        Pool2d { kernel: [3, 2], stride: [2, 3], padding: [1, 1], output: [4, 3], ..base },
        Pool2d { kernel: [2, 3], stride: [1, 1], padding: [1, 1], dilation: [3, 2], output: [6, 4], ..base },
    ]
}

/// Short and long rows, one row, one column, and so many rows that their moments are taken in parts.
pub fn matrices(elem: Elem) -> Vec<Rows> {
    [[9, 10], [3, 77], [1, 1000], [5, 1], [3001, 7], [2500, 40]]
        .map(|[rows, columns]| Rows { rows, columns, x: elem, out: elem })
        .to_vec()
}

/// With and without smoothing, class weights and ignored rows.
pub fn losses() -> Vec<CrossEntropy> {
    let plain = CrossEntropy { smoothing: 0.0, ignore_index: -100, weighted: false };
    vec![
        plain,
        CrossEntropy { smoothing: 0.1, ignore_index: 2, ..plain },
        CrossEntropy { smoothing: 0.2, ignore_index: 0, weighted: true },
    ]
}

/// Axes in the middle, at the end and alone.
pub fn axes() -> Vec<AlongAxis> {
    [[3, 5, 4, 6], [7, 9, 1, 2], [1, 130, 1, 11], [1, 4, 33, 9]]
        .map(|[outer, n, inner, m]| AlongAxis { outer, n, inner, m })
        .to_vec()
}
