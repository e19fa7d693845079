//! A training step in 16 bits by the kernels of GPUs, with batch norm's statistics and normalisation inside the convolutions, on the
//! software adapter against the float64 reference.

mod support;

use chiaro_check::compare::compare;
use chiaro_cpu::reference::Reference;
use chiaro_gpu::{BackendOptions, GpuBackend, KernelChoice, OpenOptions};
use chiaro_graph::plan::Plan;
use chiaro_graph::{Backend, DType, Graph, Tensor, evaluate};
use chiaro_nn::{
    Activation, BatchNorm2d, Conv2d, GlobalAvgPool, Linear, Model, Precision, Residual, Sequential, Sgd, TrainOptions,
    TrainStep,
};

const BATCH: usize = 6;

fn step() -> TrainStep {
    let conv = || Conv2d::new(16, 3).padding(1).without_bias();
    let inner = Sequential::new().named("conv", conv()).named("norm", BatchNorm2d::new());
    let layers = Sequential::new()
        .named("conv1", conv())
        .named("norm1", BatchNorm2d::new())
        .push(Activation::Relu)
        .named("block", Residual(inner))
        .push(Activation::Relu)
        .named("conv2", conv())
        .named("norm2", BatchNorm2d::new())
        .push(Activation::Relu)
        .push(GlobalAvgPool)
        .named("fc", Linear::new(4));
    let model = Model::new("block", [8, 8, 4], 4, layers).expect("the layers fit");
    let options = TrainOptions::new(BATCH, Sgd::default());
    let options = TrainOptions { precision: Precision::f16(), output_logits: true, output_gradients: true, ..options };
    TrainStep::build(&model, options).expect("the step is recorded")
}

fn outputs(backend: &mut dyn Backend, step: &TrainStep) -> Vec<Tensor> {
    let plan = backend.compile(&step.graph).expect("compiles");
    for (name, values) in step.initial_arenas(3) {
        backend.write_arena(&name, &values).expect("an arena");
    }
    let pixels: Vec<f64> = (0..BATCH * 256).map(|i| (i * 7919 % 1013) as f64 / 506.5 - 1.0).collect();
    let images = Tensor::from_f64([BATCH, 8, 8, 4], DType::F32, &pixels).expect("images");
    let labels = Tensor::i32([BATCH], (0..BATCH as i32).map(|i| i % 4).collect()).expect("labels");
    backend.run(plan, &step.inputs(images, labels, 1, 0, 0.1)).expect("a step");
    (0..step.graph.outputs().len()).map(|i| backend.read(plan, i).expect("an output")).collect()
}

#[test]
fn a_step_in_16_bits_by_the_kernels_of_gpus_equals_the_reference() {
    // With the matrices of the device, where it has any: Mesa 26's llvmpipe has.
    let Some(gpu) = support::open(OpenOptions { cooperative_matrix: true, ..OpenOptions::default() }) else {
        return;
    };
    let step = step();
    let options = BackendOptions { kernels: KernelChoice::Gpu, ..BackendOptions::default() };
    let mut backend = GpuBackend::new(gpu, options);
    let plan = Plan::new(&step.graph, &backend.plan_options(&step.graph)).expect("a plan");
    assert!(plan.steps.iter().any(|s| s.columns.is_some()), "no kernel reduces columns");
    let computed = || plan.steps.iter().flat_map(|s| s.loads.iter().flatten());
    assert!(computed().next().is_some(), "no kernel computes an input");
    assert!(computed().any(|load| !load.program.stores.is_empty()), "no kernel keeps an input that it computes");
    let want = outputs(&mut Reference::new(), &step);
    let got = outputs(&mut backend, &step);
    println!("cooperative tiles: {:?}", backend.cooperative_tiles());
    let rounded = outputs(&mut Reference::rounding_halves(), &step);
    let cpu = outputs(&mut chiaro_cpu::Cpu::new(Some(2)).expect("threads"), &step);
    for (i, (name, _)) in step.graph.outputs().iter().enumerate() {
        let error = |a: &[Tensor], b: &[Tensor]| compare(&a[i], &b[i]).unwrap_or_else(|e| panic!("{name}: {e}"));
        // Rounding alone, of each value that is stored, moves the gradients of this small batch so far (2.6e-2 measured; the GPU's
        // kernels 2.5e-2, the CPU's 2.9e-2).
        let allowed = 2.0 * error(&rounded, &want).max(1e-4);
        println!(
            "{name}: GPU {:.1e}, rounding reference {:.1e}, CPU {:.1e}",
            error(&got, &want),
            error(&rounded, &want),
            error(&cpu, &want)
        );
        for (device, result) in [("GPU", &got), ("CPU", &cpu)] {
            assert!(error(result, &want) <= allowed, "{name}, {device}: {:e}", error(result, &want));
        }
    }
}

#[test]
fn every_number_is_rounded_to_what_sixteen_bits_hold_of_it() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    // Every half but NaN, what lies just beside it, and the middle between it and the next.
    let halves = (0..=u16::MAX).map(half::f16::from_bits).filter(|h| !h.is_nan());
    let near = |h: half::f16| {
        let x = h.to_f32();
        let next = half::f16::from_bits(h.to_bits() + 1).to_f32();
        let middle = x + (next - x) / 2.0;
        [x, f32::from_bits(x.to_bits() + 1), middle, f32::from_bits(middle.to_bits() + 1)]
    };
    let values: Vec<f32> = halves.flat_map(near).chain([65519.9, 65520.0, 1e9, f32::MAX, 1e-9, 1e-30]).collect();
    let mut g = Graph::new();
    let x = g.input("x", &[values.len()], DType::F32).expect("new");
    let h = g.cast(x, DType::F16).expect("floats");
    let wide = g.cast(h, DType::F32).expect("floats");
    g.output("wide", wide).expect("new");
    let mut backend = GpuBackend::new(gpu, BackendOptions::default());
    let input = Tensor::f32(vec![values.len()], values.clone()).expect("as many");
    let got = evaluate(&mut backend, &g, &[input]).expect("it runs");
    for (x, got) in values.iter().zip(got[0].to_f64()) {
        let want = half::f16::from_f32(*x).to_f64();
        assert!(got == want || got.is_nan() && want.is_nan(), "{x:e}: {got:e}, not {want:e}");
    }
}
