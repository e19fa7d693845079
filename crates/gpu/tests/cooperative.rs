//! Products and convolutions of f16 tensors with whatever matrices the device has, against the kernels without them.
//!
//! Mesa 26's llvmpipe has cooperative matrices of 8x8x8. On a device without any, both sides run the same kernels.

mod support;

use chiaro_gpu::{BackendOptions, GpuBackend, KernelChoice, OpenOptions};
use chiaro_graph::{Backend, ConvSpec, DType, Graph, Tensor};

fn backend(kernels: KernelChoice, cooperative_matrix: bool) -> Option<GpuBackend> {
    let gpu = support::open(OpenOptions { cooperative_matrix, ..OpenOptions::default() })?;
    Some(GpuBackend::new(gpu, BackendOptions { kernels, ..BackendOptions::default() }))
}

/// A matrix product and a convolution with their gradients, all of f16.
fn graph(shapes: &[Vec<usize>; 4], stride: usize) -> Graph {
    let mut g = Graph::new();
    let vars: Vec<_> = shapes
        .iter()
        .enumerate()
        .map(|(i, shape)| g.input(&format!("x{i}"), shape, DType::F16).expect("an input"))
        .collect();
    let product = g.matmul(vars[0], vars[1], false, true).expect("a product");
    let spec = ConvSpec { padding: [1; 4], stride: [stride; 2], ..ConvSpec::default() };
    let conv = g.conv2d(vars[2], vars[3], &spec).and_then(|y| g.relu(y)).expect("a convolution");
    for (name, var, wrt) in [("product", product, &vars[..2]), ("conv", conv, &vars[2..])] {
        let gradients = g.grad(var, Some(var), wrt).expect("gradients");
        for (i, var) in std::iter::once(var).chain(gradients).enumerate() {
            g.output(&format!("{name} {i}"), var).expect("an output");
        }
    }
    g
}

fn results(backend: &mut GpuBackend, shapes: &[Vec<usize>; 4], stride: usize) -> Vec<Vec<f64>> {
    let plan = backend.compile(&graph(shapes, stride)).expect("compiles");
    let values = |shape: &Vec<usize>| {
        let values: Vec<f64> =
            (0..shape.iter().product()).map(|i: usize| (i * 7919 % 1013) as f64 / 506.5 - 1.0).collect();
        Tensor::from_f64(&shape[..], DType::F16, &values).expect("a tensor")
    };
    let inputs: Vec<Tensor> = shapes.iter().map(values).collect();
    backend.run(plan, &inputs).expect("runs");
    (0..6).map(|i| backend.read(plan, i).expect("reads").to_f64()).collect()
}

#[test]
fn products_and_convolutions_of_halves_are_the_same_with_cooperative_matrices() {
    let shapes = [vec![37, 43], vec![29, 43], vec![2, 7, 6, 5], vec![11, 3, 3, 5]];
    let Some(mut plain) = backend(KernelChoice::Suited, false) else { return };
    if !plain.gpu().features().f16 {
        return;
    }
    let wanted = results(&mut plain, &shapes, 2);
    let gpu = support::open(OpenOptions { cooperative_matrix: true, ..OpenOptions::default() }).expect("opens again");
    let matrices = gpu.features().cooperative_matrix.clone();
    let usable = matrices.iter().any(|shape| shape.ends_with("F16->F32"));
    // The kernels of GPUs take a software device minutes to compile: only where they are what is tested.
    let kernels = if usable { KernelChoice::Gpu } else { KernelChoice::Suited };
    let mut cooperative = GpuBackend::new(gpu, BackendOptions { kernels, ..BackendOptions::default() });
    let got = results(&mut cooperative, &shapes, 2);
    for (i, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
        let apart: f64 = got.iter().zip(wanted).map(|(g, w)| (g - w) * (g - w)).sum();
        let error = (apart / wanted.iter().map(|w| w * w).sum::<f64>()).sqrt();
        // Both round to f16 at the end: half a unit in the last place is 5e-4.
        assert!(got.len() == wanted.len() && error < 5e-4, "output {i}: {error}");
    }
    assert_eq!(cooperative.gpu().notes().take(), Vec::<String>::new(), "every tile is right");
    let tiles = cooperative.cooperative_tiles().expect("the graph has a use for them");
    assert_eq!(!tiles.is_empty(), usable, "{tiles:?} of {matrices:?}");
    eprintln!("cooperative tiles: {tiles:?}");
}
