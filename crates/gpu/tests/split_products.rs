//! Products of many terms and few results, which are summed in parts: every form of their epilogue, batches, both widths, cooperative
//! matrices where the device has them.

mod support;

use chiaro_check::compare::compare;
use chiaro_cpu::reference::Reference;
use chiaro_gpu::{BackendOptions, GpuBackend, KernelChoice, OpenOptions};
use chiaro_graph::{Backend, DType, Graph, Tensor, evaluate};

fn open() -> Option<GpuBackend> {
    let gpu = support::open(OpenOptions { cooperative_matrix: true, ..OpenOptions::default() })?;
    Some(GpuBackend::new(gpu, BackendOptions { kernels: KernelChoice::Gpu, ..BackendOptions::default() }))
}

fn draw(shape: &[usize], dtype: DType, seed: usize) -> Tensor {
    let count: usize = shape.iter().product();
    let values: Vec<f64> = (0..count).map(|i| ((i + seed) * 7919 % 1013) as f64 / 506.5 - 1.0).collect();
    Tensor::from_f64(shape, dtype, &values).expect("as many as the shape has")
}

/// `a` (transposed or not) by `b`, with outputs that need an epilogue: itself, with a bias and ReLU, turned around.
fn graph(a: &[usize], b: &[usize], transposed: bool, dtype: DType) -> Graph {
    let mut g = Graph::new();
    let a = g.input("a", a, dtype).expect("an input");
    let b = g.input("b", b, dtype).expect("an input");
    let product = g.matmul(a, b, transposed, false).expect("a product");
    let shape = g.shape(product).to_vec();
    let bias = g.input("bias", &shape[shape.len() - 1..], DType::F32).expect("an input");
    let wide = g.cast(product, DType::F32).expect("a cast");
    let moved = g.add(wide, bias).and_then(|v| g.relu(v)).expect("broadcasts");
    let mut axes: Vec<usize> = (0..shape.len()).collect();
    axes.reverse();
    let turned = g.transpose(wide, &axes).expect("all axes");
    for (name, v) in [("product", product), ("moved", moved), ("turned", turned)] {
        g.output(name, v).expect("an output");
    }
    g
}

#[test]
fn a_product_summed_in_parts_equals_the_reference_with_any_epilogue() {
    let Some(mut gpu) = open() else { return };
    let cases: [(&[usize], &[usize], bool); 5] = [
        (&[5000, 24], &[5000, 40], true),
        (&[33, 1030], &[1030, 7], false),
        (&[1, 4099], &[4099, 1], false),
        (&[3, 2048, 9], &[3, 2048, 12], true),
        // Three axes of batch, none of which can be merged with its neighbour.
        (&[2, 1, 3, 10, 1500], &[1, 4, 1, 1500, 5], false),
    ];
    for (a, b, transposed) in cases {
        for dtype in [DType::F32, DType::F16] {
            let g = graph(a, b, transposed, dtype);
            let inputs = [draw(a, dtype, 1), draw(b, dtype, 500), draw(&b[b.len() - 1..], DType::F32, 9)];
            let profiled = gpu.compile(&g).expect("compiles");
            let calls = gpu.calls(profiled).expect("they are known");
            assert!(calls.iter().any(|call| call.kernel == "MatMul pass 2"), "{a:?} {b:?}: summed in parts");
            let got = evaluate(&mut gpu, &g, &inputs).expect("runs");
            let want = evaluate(&mut Reference::new(), &g, &inputs).expect("the reference runs");
            let most = if dtype == DType::F32 { 1e-5 } else { 1e-3 };
            for (got, want) in got.iter().zip(&want) {
                let error = compare(got, want).expect("one shape");
                assert!(error <= most, "{a:?} {b:?} {dtype}: {error:e}");
            }
        }
    }
}
