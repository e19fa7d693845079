//! Forms of generated code: vectors and their remainders, views of every kind, epilogues with several or moved results,
//! reductions along any axes in one pass and in two, against the float64 reference.

mod support;

use chiaro_check::compare::compare;
use chiaro_cpu::reference::Reference;
use chiaro_gpu::{BackendOptions, GpuBackend, OpenOptions};
use chiaro_graph::{
    ConvSpec, DType, Elementwise, Graph, RandomKind, ReduceKind, Tensor, evaluate, normal_pair, random_words, uniform,
};

fn draw(stream: u32, shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    let number = |i: usize| {
        let words = random_words([5, 6, stream], 1, i as u32);
        normal_pair([words[0], words[1]])[0]
    };
    let values: Vec<f64> = (0..count).map(number).collect();
    Tensor::from_f64(shape, DType::F32, &values).expect("as many as the shape has")
}

/// Both kinds of plan of a graph, every output against the reference.
fn check(backends: &mut [GpuBackend], name: &str, graph: &Graph, inputs: &[Tensor]) {
    let want = evaluate(&mut Reference::new(), graph, inputs).expect("the reference runs");
    for (kind, backend) in ["fused", "plain"].iter().zip(backends) {
        let got = evaluate(backend, graph, inputs).unwrap_or_else(|e| panic!("{name}, {kind}: {e}"));
        for ((got, want), (output, _)) in got.iter().zip(&want).zip(graph.outputs()) {
            let error = compare(got, want).unwrap_or_else(|e| panic!("{name}, {kind}, {output}: {e}"));
            assert!(error <= 1e-5, "{name}, {kind}, {output}: {error:e}");
        }
    }
}

fn open() -> Option<Vec<GpuBackend>> {
    let gpu = support::open(OpenOptions::default())?;
    Some(
        [true, false]
            .map(|fuse| GpuBackend::new(gpu.clone(), BackendOptions { fuse, ..BackendOptions::default() }))
            .into(),
    )
}

#[test]
fn views_of_every_kind_are_followed() {
    let Some(mut backends) = open() else {
        return;
    };
    for [a, b, c] in [[2, 3, 8], [3, 4, 4], [2, 5, 7], [1, 1, 4], [4, 1, 1], [5, 3, 12], [1, 1, 1], [70, 33, 60]] {
        let mut g = Graph::new();
        let x = g.input("x", &[a, b, c], DType::F32).expect("new");
        let row = g.input("row", &[c], DType::F32).expect("new");
        let column = g.input("column", &[a, b, 1], DType::F32).expect("new");
        let other = g.input("other", &[c, b, a], DType::F32).expect("new");
        let sum = g.add(x, row).expect("broadcasts");
        let product = g.mul(sum, column).expect("broadcasts");
        let turned = g.transpose(other, &[2, 1, 0]).expect("three axes");
        let mixed = g.sub(product, turned).expect("one shape");
        let reversed = g.slice(mixed, &[a - 1, b - 1, c - 1], &[a, b, c], &[-1, -1, -1]).expect("inside");
        let back = g.add(reversed, x).expect("one shape");
        let positive = g.map_scalars(Elementwise::Greater, back, &[0.0]).expect("numbers");
        let chosen = g.where_(positive, back, turned).expect("one shape");
        let joined = g.concat(&[chosen, x, mixed], 2).expect("equal but for the axis");
        let padded = g.pad(joined, &[1, 0, 2], &[0, 1, 3], -1.5).expect("three axes");
        let counted = g.cast(positive, DType::I32).unwrap();
        for (name, v) in [("mixed", mixed), ("positive", positive), ("padded", padded), ("counted", counted)] {
            g.output(name, v).expect("new");
        }
        let inputs = [draw(1, &[a, b, c]), draw(2, &[c]), draw(3, &[a, b, 1]), draw(4, &[c, b, a])];
        check(&mut backends, &format!("{a}x{b}x{c}"), &g, &inputs);
    }
}

#[test]
fn reductions_along_any_axes_are_exact_in_one_pass_and_in_two() {
    let Some(mut backends) = open() else {
        return;
    };
    let shapes: [[usize; 3]; 9] = [
        [2, 3, 8],
        [5, 1, 1],
        [3, 129, 4],
        [7, 5, 33],
        [1, 1, 5000],
        [2500, 1, 3],
        [2, 4100, 1],
        [1100, 2, 16],
        [40, 70, 64],
    ];
    for shape in shapes {
        for axes in [&[0usize][..], &[1], &[2], &[0, 1], &[1, 2], &[0, 2], &[0, 1, 2]] {
            let mut g = Graph::new();
            let x = g.input("x", &shape, DType::F32).expect("new");
            let y = g.input("y", &shape, DType::F32).expect("new");
            let product = g.mul(x, y).expect("one shape");
            let whole = g.map_scalars(Elementwise::Mul, x, &[10.0]).expect("a float");
            let whole = g.cast(whole, DType::I32).unwrap();
            let sum = g.sum(product, axes, true).expect("axes");
            let scaled = g.map_scalars(Elementwise::Mul, sum, &[0.5]).expect("a float");
            let squares = g.unary(Elementwise::Square, x).expect("a float");
            let squares = g.sum(squares, axes, true).expect("axes");
            let counted = g.reduce(ReduceKind::Sum, whole, axes, false).expect("axes");
            let least = g.reduce(ReduceKind::Min, whole, axes, false).expect("axes");
            let largest = g.reduce(ReduceKind::Max, x, axes, false).expect("axes");
            let spread = g.sub(x, scaled).expect("broadcasts");
            let outputs = [scaled, squares, counted, least, largest, spread];
            for (i, v) in outputs.into_iter().enumerate() {
                g.output(&format!("{i}"), v).expect("new");
            }
            check(&mut backends, &format!("{shape:?} over {axes:?}"), &g, &[draw(1, &shape), draw(2, &shape)]);
        }
    }
}

#[test]
fn extremes_keep_nan_and_infinities() {
    let Some(mut backends) = open() else {
        return;
    };
    let mut values = draw(3, &[4, 700]).as_f32().expect("f32").to_vec();
    values[5] = f32::NEG_INFINITY;
    values[700 + 600] = f32::NAN;
    values[1400..2100].fill(f32::NEG_INFINITY);
    values[2100..].fill(f32::INFINITY);
    let x = Tensor::f32([4, 700], values).expect("as many as the shape has");
    let mut g = Graph::new();
    let v = g.input("x", &[4, 700], DType::F32).expect("new");
    let infinity = g.scalar(f64::INFINITY, DType::F32).unwrap();
    let largest = g.reduce(ReduceKind::Max, v, &[1], false).expect("axes");
    let least = g.reduce(ReduceKind::Min, v, &[1], false).expect("axes");
    let bounded = g.map(Elementwise::Less, &[largest, infinity]).expect("numbers");
    for (name, v) in [("largest", largest), ("least", least), ("bounded", bounded)] {
        g.output(name, v).expect("new");
    }
    check(&mut backends, "extremes", &g, &[x]);
}

/// A product and a convolution whose results go on: moved, compared, joined, and kept as they are besides.
#[test]
fn epilogues_store_several_results_anywhere() {
    let Some(mut backends) = open() else {
        return;
    };
    for (rows, inner, columns) in [(5, 7, 3), (6, 8, 4), (33, 20, 36), (64, 64, 64), (70, 3, 65)] {
        let mut g = Graph::new();
        let a = g.input("a", &[rows, inner], DType::F32).expect("new");
        let b = g.input("b", &[columns, inner], DType::F32).expect("new");
        let bias = g.input("bias", &[columns], DType::F32).expect("new");
        let residual = g.input("residual", &[rows, columns], DType::F32).expect("new");
        let y = g.linear(a, b, Some(bias)).expect("shapes fit");
        let z = g.add(y, residual).expect("one shape");
        let active = g.unary(Elementwise::Gelu, z).expect("a float");
        g.output("active", active).expect("new");
        check(&mut backends, "one result", &g, &inputs(rows, inner, columns));
        let positive = g.map_scalars(Elementwise::Greater, z, &[0.0]).expect("numbers");
        g.output("positive", positive).expect("new");
        let joined = g.concat(&[active, residual], 1).expect("equal rows");
        g.output("joined", joined).expect("new");
        check(&mut backends, "several results", &g, &inputs(rows, inner, columns));
    }
}

fn inputs(rows: usize, inner: usize, columns: usize) -> Vec<Tensor> {
    let shapes: [&[usize]; 4] = [&[rows, inner], &[columns, inner], &[columns], &[rows, columns]];
    shapes.iter().enumerate().map(|(i, s)| draw(i as u32, s)).collect()
}

#[test]
fn an_epilogue_without_a_result_in_place_needs_no_buffer_of_its_own() {
    let Some(mut backends) = open() else {
        return;
    };
    for channels in [3usize, 8] {
        let mut g = Graph::new();
        let x = g.input("x", &[2, 5, 6, 4], DType::F32).expect("new");
        let w = g.input("w", &[channels, 3, 3, 4], DType::F32).expect("new");
        let depthwise = g.input("d", &[4, 3, 3, 1], DType::F32).expect("new");
        let spec = ConvSpec { padding: [1; 4], ..ConvSpec::default() };
        let y = g.conv2d(x, w, &spec).expect("shapes fit");
        let positive = g.map_scalars(Elementwise::Greater, y, &[0.0]).expect("numbers");
        g.output("positive", positive).expect("new");
        let spec = ConvSpec { groups: 4, ..spec };
        let z = g.conv2d(x, depthwise, &spec).expect("shapes fit");
        let z = g.relu(z).expect("a float");
        let joined = g.concat(&[z, x], 3).expect("equal but for the axis");
        g.output("joined", joined).expect("new");
        let inputs = [draw(1, &[2, 5, 6, 4]), draw(2, &[channels, 3, 3, 4]), draw(3, &[4, 3, 3, 1])];
        check(&mut backends, &format!("{channels} channels"), &g, &inputs);
    }
}

#[test]
fn products_broadcast_over_many_batch_axes() {
    let Some(mut backends) = open() else {
        return;
    };
    let mut g = Graph::new();
    let a = g.input("a", &[2, 1, 3, 1, 4, 5], DType::F32).expect("new");
    let b = g.input("b", &[1, 4, 1, 2, 5, 8], DType::F32).expect("new");
    let y = g.matmul(a, b, false, false).expect("broadcasts");
    g.output("y", y).expect("new");
    check(&mut backends, "batch", &g, &[draw(1, &[2, 1, 3, 1, 4, 5]), draw(2, &[1, 4, 1, 2, 5, 8])]);
}

/// Uniform numbers bit for bit; normal ones, and dropout's choices, to rounding.
#[test]
fn random_numbers_are_those_of_the_contract() {
    let Some(mut backends) = open() else {
        return;
    };
    let key = Tensor::new([3], chiaro_graph::Data::U32(vec![0x1234_5678, 0xffff_fff0, 7])).expect("three words");
    for shape in [[64, 40], [7, 9], [1, 1], [3, 4]] {
        let mut g = Graph::new();
        let k = g.input("key", &[3], DType::U32).expect("new");
        let flat = g.random(RandomKind::Uniform, &shape, k).expect("a key");
        let bell = g.random(RandomKind::Normal, &shape, k).expect("a key");
        let turned = g.transpose(flat, &[1, 0]).expect("two axes");
        for (name, v) in [("flat", flat), ("bell", bell), ("turned", turned)] {
            g.output(name, v).expect("new");
        }
        check(&mut backends, &format!("{shape:?}"), &g, std::slice::from_ref(&key));
        let got = evaluate(&mut backends[0], &g, std::slice::from_ref(&key)).expect("runs");
        let want: Vec<f32> = (0..shape[0] * shape[1])
            .map(|i| uniform(random_words([0x1234_5678, 0xffff_fff0, 7], 1, i as u32 / 4)[i % 4]))
            .collect();
        assert_eq!(got[0].as_f32(), Some(&want[..]), "the first random op of a graph has salt 1");
    }
}

#[test]
fn literals_arrive_with_every_bit() {
    let Some(mut backends) = open() else {
        return;
    };
    let values = [0.1f32, 1e-7, 3.402_823_5e38, 1.175_494_4e-38, 16_777_217.0, std::f32::consts::PI, f32::INFINITY];
    let mut g = Graph::new();
    let x = g.input("x", &[3], DType::F32).expect("new");
    for (i, &value) in values.iter().enumerate() {
        let scalar = g.scalar(f64::from(value), DType::F32).unwrap();
        let y = g.add(x, scalar).expect("broadcasts");
        g.output(&format!("{i}"), y).expect("new");
    }
    let zeros = Tensor::zeros([3], DType::F32);
    for backend in &mut backends {
        let got = evaluate(backend, &g, std::slice::from_ref(&zeros)).expect("runs");
        for (got, value) in got.iter().zip(values) {
            assert_eq!(got.as_f32(), Some(&[value; 3][..]));
        }
    }
}
