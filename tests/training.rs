//! Whole training runs: PyTorch's on every backend, and the same steps on CPU and GPU.

#[path = "../crates/nn/tests/common/mod.rs"]
mod common;
mod support;

use chiaro::Backend;
use chiaro::cpu::reference::Reference;
use chiaro::nn::{
    Activation, Adam, BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, Model, Optimizers, Sequential, Sgd,
    TrainOptions, TrainStep,
};
use common::{golden, optimizers, trajectory};

fn optimizers_follow_pytorch(new: impl Fn() -> Option<Box<dyn Backend>>) {
    let golden = golden("optimizers.safetensors");
    assert_eq!(golden.cases().len(), 16);
    for case in golden.cases() {
        let Some(mut backend) = new() else { return };
        let worst = optimizers::worst_error(&mut *backend, &golden, case);
        println!("{}: {worst:.1e}", case.name);
        assert!(worst <= 2e-6, "{}: {worst:e}", case.name);
    }
}

/// The golden runs of a file; `loss` is the error allowed to the losses.
fn trains_as_in_pytorch(new: impl Fn() -> Option<Box<dyn Backend>>, file: &str, runs: usize, loss: f64) {
    let golden = golden(file);
    assert_eq!(golden.cases().len(), runs);
    for case in golden.cases() {
        let Some(mut backend) = new() else { return };
        let errors = trajectory::run(&mut *backend, &golden, case);
        println!("{}: {errors:?}", case.name);
        errors.check(&case.name, loss);
    }
}

fn cpu() -> Option<Box<dyn Backend>> {
    Some(Box::new(support::cpu()))
}

fn gpu() -> Option<Box<dyn Backend>> {
    Some(Box::new(support::gpu()?))
}

#[test]
fn optimizers_follow_pytorch_on_the_cpu() {
    optimizers_follow_pytorch(cpu);
}

#[test]
fn optimizers_follow_pytorch_on_the_gpu() {
    optimizers_follow_pytorch(gpu);
}

#[test]
fn lenet_trains_as_in_pytorch_on_the_cpu() {
    trains_as_in_pytorch(cpu, "trajectory_lenet.safetensors", 3, 1e-3);
}

#[test]
fn lenet_trains_as_in_pytorch_on_the_gpu() {
    trains_as_in_pytorch(gpu, "trajectory_lenet.safetensors", 3, 1e-3);
}

#[test]
fn resnet_trains_as_in_pytorch_on_the_cpu() {
    trains_as_in_pytorch(cpu, "trajectory_resnet.safetensors", 1, 3e-3);
}

#[test]
fn resnet_trains_as_in_pytorch_on_the_gpu() {
    trains_as_in_pytorch(gpu, "trajectory_resnet.safetensors", 1, 3e-3);
}

const STEPS: u64 = 50;

/// A network with every layer that training changes: convolution, batch norm, dropout twice, dense.
fn network() -> Model {
    let layers = Sequential::new()
        .named("conv1", Conv2d::new(8, 3).padding(1))
        .named("norm1", BatchNorm2d::new())
        .push(Activation::Relu)
        .push(MaxPool2d::new(2))
        .push(Dropout { p: 0.2 })
        .named("conv2", Conv2d::new(12, 3))
        .push(Activation::Relu)
        .push(Flatten)
        .named("fc1", Linear::new(24))
        .push(Activation::Relu)
        .push(Dropout { p: 0.5 })
        .named("fc2", Linear::new(4));
    Model::new("dropped", [12, 12, 1], 4, layers).expect("the layers fit")
}

fn losses(backend: &mut dyn Backend, optimizer: Optimizers, rate: f64, seed: u64) -> Vec<f64> {
    let step = TrainStep::build(&network(), TrainOptions::new(16, optimizer)).expect("the step is recorded");
    let plan = support::start(backend, &step, 7);
    let one = |s: u64| {
        let (images, labels) = support::bright_rows(16, 12, s % 6);
        backend.run(plan, &step.inputs(images, labels, seed, s, rate)).expect("a step");
        backend.read(plan, 0).expect("the loss").to_f64()[0]
    };
    (0..STEPS).map(one).collect()
}

/// The largest relative difference of two runs, and that they learn.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&a[40..]) < 0.8 * mean(&a[..10]), "nothing was learnt: {a:?}");
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max)
}

fn rules() -> [(Optimizers, f64); 2] {
    [(Sgd { momentum: 0.9, nesterov: true, weight_decay: 1e-4 }.into(), 0.02), (Adam::default().into(), 0.002)]
}

#[test]
fn fifty_steps_with_dropout_are_the_same_on_cpu_and_reference() {
    for (optimizer, rate) in rules() {
        let want = losses(&mut Reference::new(), optimizer.clone(), rate, 1);
        let worst = difference(&losses(&mut support::cpu(), optimizer.clone(), rate, 1), &want);
        println!("{optimizer:?}: {worst:.1e}");
        assert!(worst <= 1e-4, "{optimizer:?}: {worst:e}");
    }
}

#[test]
fn fifty_steps_with_dropout_are_the_same_on_cpu_and_gpu() {
    for (optimizer, rate) in rules() {
        let Some(mut gpu) = support::gpu() else { return };
        let want = losses(&mut support::cpu(), optimizer.clone(), rate, 1);
        let worst = difference(&losses(&mut gpu, optimizer.clone(), rate, 1), &want);
        println!("{optimizer:?}: {worst:.1e}");
        assert!(worst <= 1e-4, "{optimizer:?}: {worst:e}");
    }
}

#[test]
fn other_dropout_masks_make_another_run() {
    let [(optimizer, rate), _] = rules();
    let [first, second] = [1, 2].map(|seed| losses(&mut support::cpu(), optimizer.clone(), rate, seed));
    assert!(difference(&first, &second) > 1e-2, "the masks make no difference");
}

fn the_same_run_gives_the_same_bits(new: impl Fn() -> Option<Box<dyn Backend>>) {
    let [_, (optimizer, rate)] = rules();
    let (Some(mut first), Some(mut second)) = (new(), new()) else { return };
    assert_eq!(losses(&mut *first, optimizer.clone(), rate, 3), losses(&mut *second, optimizer.clone(), rate, 3));
}

#[test]
fn the_same_run_gives_the_same_bits_on_the_cpu() {
    the_same_run_gives_the_same_bits(cpu);
}

#[test]
fn the_same_run_gives_the_same_bits_on_the_gpu() {
    the_same_run_gives_the_same_bits(gpu);
}
