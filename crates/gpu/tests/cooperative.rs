//! Products and convolutions of f16 tensors with whatever matrices the device has, against the kernels without them.
//!
//! Mesa 26's llvmpipe has cooperative matrices of 8x8x8. On a device without any, both sides run the same kernels.

mod support;

use chiaro_gpu::{BackendOptions, Forced, GpuBackend, KernelChoice, OpenOptions, PlannedKernel};
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

/// A convolution whose statistics of batch norm are reduced in its kernel, and another that reads it through norm and ReLU; their gradients.
fn trained() -> Graph {
    let mut g = Graph::new();
    let x = g.input("x", &[2, 6, 6, 16], DType::F16).expect("an input");
    let weights = [("w0", [24, 3, 3, 16]), ("w1", [16, 3, 3, 24])]
        .map(|(name, shape)| g.input(name, &shape, DType::F16).expect("an input"));
    let spec = ConvSpec { padding: [1; 4], ..ConvSpec::default() };
    let scale = g.full(&[24], 1.5, DType::F32).expect("fits");
    let shift = g.full(&[24], 0.1, DType::F32).expect("fits");
    let y = g.conv2d(x, weights[0], &spec).expect("fits");
    let (y, _) = g.batch_norm(y, scale, shift, 1e-3).expect("fits");
    let y = g.relu(y).expect("fits");
    let y = g.conv2d(y, weights[1], &spec).expect("fits");
    let gradients = g.grad(y, Some(y), &[x, weights[0], weights[1]]).expect("gradients");
    for (i, var) in std::iter::once(y).chain(gradients).enumerate() {
        g.output(&format!("{i}"), var).expect("new");
    }
    g
}

/// What the tiles of large GPUs are made of, with matrices that llvmpipe has: two stages, loads of four and of eight, and deep steps.
#[test]
fn tiles_of_every_make_give_what_the_kernels_without_them_give() {
    let run = |backend: &mut GpuBackend| -> Vec<Vec<f64>> {
        let plan = backend.compile(&trained()).expect("compiles");
        let values = |seed: usize, shape: &[usize]| {
            let values = (0..shape.iter().product()).map(|i: usize| ((i + seed) * 7919 % 1013) as f64 / 506.5 - 1.0);
            Tensor::from_f64(shape, DType::F16, &values.collect::<Vec<f64>>()).expect("a tensor")
        };
        let inputs = [values(0, &[2, 6, 6, 16]), values(5, &[24, 3, 3, 16]), values(9, &[16, 3, 3, 24])];
        backend.run(plan, &inputs).expect("runs");
        (0..4).map(|i| backend.read(plan, i).expect("reads").to_f64()).collect()
    };
    let Some(mut plain) = backend(KernelChoice::Suited, false) else { return };
    if !plain.gpu().features().f16 {
        return;
    }
    let wanted = run(&mut plain);
    let own = ["cooperative8 32x32x32x2/16x16", "cooperative8by4 32x16x64/16x16"];
    // Of 16x16x16, as several of the device's matrices.
    let made = ["cooperative16 32x32x32x2/16x16", "cooperative16by4 32x32x32/16x16"];
    for name in own.into_iter().chain(made) {
        let gpu = support::open(OpenOptions { cooperative_matrix: true, ..OpenOptions::default() }).expect("opens");
        if !gpu.features().cooperative_matrix.iter().any(|m| m == "8x8x8 F16->F32") {
            eprintln!("not run: the device has no matrices of 8x8x8");
            return;
        }
        let forced = Forced::new(Some(name), None).expect("a tile");
        let options = BackendOptions { kernels: KernelChoice::Gpu, forced, ..BackendOptions::default() };
        let mut cooperative = GpuBackend::new(gpu, options);
        let got = run(&mut cooperative);
        assert_eq!(cooperative.gpu().notes().take(), Vec::<String>::new(), "{name}: the tile is right at every step");
        for (i, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
            let apart: f64 = got.iter().zip(wanted).map(|(g, w)| (g - w) * (g - w)).sum();
            let error = (apart / wanted.iter().map(|w| w * w).sum::<f64>()).sqrt();
            assert!(error < 2e-3, "{name}, output {i}: {error}");
        }
        let kernels = cooperative.planned(&trained()).expect("planned");
        let used = kernels.iter().filter(|k| k.call.launch.as_ref().is_some_and(|l| l.tile.as_deref() == Some(name)));
        assert_eq!(used.count(), 6, "{name}: two convolutions in three directions");
        let eights = !name.contains("by4");
        let computed = |kernel: &PlannedKernel| kernel.wgsl.contains("a_load(found.at * 2u)");
        assert_eq!(kernels.iter().any(computed), eights, "{name}: an input is computed as eight of it are read");
        let keep = if eights { "a_keep(found.at * 2u + 1u" } else { "a_keep(found.at, value)" };
        let kept = |kernel: &PlannedKernel| kernel.wgsl.contains(keep);
        assert!(kernels.iter().any(kept), "{name}: no kernel keeps an input that it computes");
    }
}

/// Matrices of 16x16x16 made of the device's 8x8x8 add the same terms in the same order as a tile of 8x8x8 does.
#[test]
fn matrices_made_of_the_devices_give_the_same_bits() {
    // The second convolution has channels by fours, so that eight are loaded at once.
    let cases = [
        ([vec![37, 43], vec![29, 43], vec![2, 7, 6, 5], vec![11, 3, 3, 5]], 2),
        ([vec![40, 48], vec![64, 48], vec![2, 6, 6, 16], vec![24, 3, 3, 16]], 1),
    ];
    for (shapes, stride) in cases {
        let run = |name| {
            let gpu = support::open(OpenOptions { cooperative_matrix: true, ..OpenOptions::default() })?;
            if !gpu.features().cooperative_matrix.iter().any(|m| m == "8x8x8 F16->F32") {
                eprintln!("not run: the device has no matrices of 8x8x8");
                return None;
            }
            let forced = Forced::new(Some(name), None).expect("a tile");
            let options = BackendOptions { kernels: KernelChoice::Gpu, forced, ..BackendOptions::default() };
            let mut backend = GpuBackend::new(gpu, options);
            let got = results(&mut backend, &shapes, stride);
            assert_eq!(backend.gpu().notes().take(), Vec::<String>::new(), "{name} is right");
            let kernels = backend.planned(&graph(&shapes, stride)).expect("planned");
            let used = |k: &&PlannedKernel| k.call.launch.as_ref().is_some_and(|l| l.tile.as_deref() == Some(name));
            assert_eq!(kernels.iter().filter(used).count(), 6, "{name}");
            Some(got)
        };
        let (Some(own), Some(made)) = (run("cooperative8 32x32x32/16x16"), run("cooperative16 32x32x32/16x16")) else {
            return;
        };
        assert_eq!(own, made, "{shapes:?}");
    }
}
