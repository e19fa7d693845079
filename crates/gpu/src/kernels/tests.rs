//! Every kernel of every op case, without a device: validated by naga and translated to the languages of all platforms.

use std::collections::HashSet;

use chiaro_graph::plan::{Plan, PlanOptions};
use chiaro_graph::{ConvSpec, DType, Elementwise, Graph};
use chiaro_shaders::validate;

use super::{DeviceClass, Transformed, Variants, dispatches, plan_options};
use crate::AdapterLimits;
use crate::device::reflect::reflect;
use crate::run::planned::{self, PlannedDispatch};
use crate::tune::Tuned;

fn options(variants: &Variants, fuse: bool) -> PlanOptions {
    PlanOptions { fuse, ..plan_options(variants) }
}

/// Checks the kernels of a graph that were not `seen` yet.
fn check(name: &str, graph: &chiaro_graph::Graph, variants: &Variants, fuse: bool, seen: &mut HashSet<String>) {
    let plan = Plan::new(graph, &options(variants, fuse)).unwrap_or_else(|e| panic!("{name}: {e}"));
    beside(name, &plan, variants, seen);
    for step in &plan.steps {
        let made = dispatches(step, variants).unwrap_or_else(|e| panic!("{name}: {}: {e}", step.label));
        for dispatch in made {
            if seen.contains(&dispatch.wgsl) {
                continue;
            }
            let text = &dispatch.wgsl;
            let checked = validate::check(text, &[]).unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
            assert_eq!(checked.storage_buffers(), dispatch.parts.len(), "{name}\n{text}");
            assert!(checked.storage_buffers() <= 12, "{name}: {} buffers\n{text}", checked.storage_buffers());
            let translated = checked.spirv().and_then(|_| checked.msl()).and_then(|_| checked.hlsl());
            assert!(translated.is_ok(), "{name}: {translated:?}\n{text}");
            seen.insert(dispatch.wgsl);
        }
    }
}

/// The dispatches of a plan as a device with the bindings of Metal gets them.
fn planned(plan: &Plan, variants: &Variants) -> Vec<PlannedDispatch> {
    let limits = AdapterLimits { storage_buffers: 29, ..AdapterLimits::default() };
    planned::dispatches(plan, &Tuned::absent(*variants, limits, vec![])).unwrap_or_else(|e| panic!("{e}"))
}

/// Checks those in which kernels of several steps run side by side.
fn beside(name: &str, plan: &Plan, variants: &Variants, seen: &mut HashSet<String>) {
    for dispatch in planned(plan, variants).iter().filter(|d| d.source.wgsl.contains("k1_main")) {
        let text = &dispatch.source.wgsl;
        if seen.insert(text.to_string()) {
            let checked = validate::check(text, &[]).unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
            assert_eq!(checked.storage_buffers(), dispatch.bound.len(), "{name}\n{text}");
            let translated = checked.spirv().and_then(|_| checked.msl()).and_then(|_| checked.hlsl());
            assert!(translated.is_ok(), "{name}: {translated:?}\n{text}");
            let needs = reflect(&dispatch.source).unwrap_or_else(|e| panic!("{name}: {e}")).needs;
            assert!(needs.workgroup_bytes <= 16 << 10, "{name}: {} bytes\n{text}", needs.workgroup_bytes);
        }
    }
}

#[test]
fn every_kernel_of_every_case_translates_everywhere() {
    let mut seen = HashSet::new();
    for case in chiaro_check::cases() {
        let all: Vec<usize> = (0..case.inputs.len()).filter(|&i| case.inputs[i].differentiable).collect();
        let backward = case.has_gradient().expect("a case").then(|| case.backward(&all).expect("a case"));
        let graphs = [Some(case.forward().expect("a case")), backward];
        for graph in graphs.iter().flatten() {
            for (variants, fuse) in [(Variants::GPU, true), (Variants::GPU, false), (Variants::SOFTWARE, true)] {
                check(&case.name, graph, &variants, fuse, &mut seen);
            }
        }
    }
    assert!(seen.len() > 500, "{} kernels", seen.len());
}

/// A whole training step of a model, as the dispatches of each step of its plan.
fn training_step(
    name: &str,
    image: [usize; 3],
    batch: usize,
    precision: chiaro_nn::Precision,
    seen: &mut HashSet<String>,
) -> [usize; 2] {
    let model = chiaro_nn::models::by_name(name, 10, image).expect("a model");
    let sgd = chiaro_nn::Sgd { momentum: 0.9, ..chiaro_nn::Sgd::default() };
    let options_of_step = chiaro_nn::TrainOptions::new(batch, sgd);
    let options_of_step = chiaro_nn::TrainOptions { precision, ..options_of_step };
    let step = chiaro_nn::TrainStep::build(&model, options_of_step).expect("a step");
    let graph = &step.graph;
    for variants in [Variants::GPU, Variants::SOFTWARE] {
        check(name, graph, &variants, true, seen);
    }
    let plan = Plan::new(graph, &options(&Variants::GPU, true)).expect("a plan");
    let calls: Vec<usize> =
        plan.steps.iter().map(|s| dispatches(s, &Variants::GPU).map_or(0, |made| made.len())).collect();
    let together = planned(&plan, &Variants::GPU).len();
    println!("{name}: {} steps, {} kernels in {together} dispatches", plan.steps.len(), calls.iter().sum::<usize>());
    for (step, calls) in plan.steps.iter().zip(&calls) {
        println!("  {calls} {:22} {:50} {} operands", step.kernel.name(), step.label, step.operands.len());
    }
    [calls.iter().sum(), together]
}

#[test]
fn training_steps_of_models_take_few_dispatches() {
    let mut seen = HashSet::new();
    let wide = chiaro_nn::Precision::F32;
    let small = training_step("small-cnn", [28, 28, 1], 64, wide, &mut seen);
    assert!(small[0] <= 60 && small[1] <= 50, "{small:?} kernels and dispatches of the small CNN");
    let resnet = training_step("resnet18", [32, 32, 3], 128, wide, &mut seen);
    // The last stages' readings cost more than the passes that they would save.
    assert!(resnet[0] <= 146 && resnet[1] <= 119, "{resnet:?} kernels and dispatches of ResNet-18");
    // In 16 bits beside these: copies of weights, images and the logits' gradient, the check of all gradients in two passes, and the
    // loss scale.
    let half = training_step("resnet18", [32, 32, 3], 128, chiaro_nn::Precision::f16(), &mut seen);
    assert!(half[0] <= resnet[0] + 9 && half[1] <= 127, "{half:?} kernels and dispatches of ResNet-18 in 16 bits");
}

/// Three convolutions, each with its norm and this activation, and all gradients.
fn normed(activation: Elementwise, numbers: &[f64], [batch, kernel, stride]: [usize; 3]) -> Graph {
    let (mut g, mut inputs) = (Graph::new(), vec![]);
    let mut input = |g: &mut Graph, name: &str, shape: &[usize]| {
        let v = g.input(name, shape, DType::F32).expect("new");
        inputs.push(v);
        v
    };
    let mut h = input(&mut g, "x", &[batch, 14, 14, 64]);
    for layer in 0..3 {
        let w = input(&mut g, &format!("w{layer}"), &[64, kernel, kernel, 64]);
        let [scale, shift] = ["scale", "shift"].map(|name| input(&mut g, &format!("{name}{layer}"), &[64]));
        let spec = ConvSpec { stride: [stride; 2], padding: [kernel / 2; 4], ..ConvSpec::default() };
        let y = g.conv2d(h, w, &spec).expect("fits");
        let (y, moments) = g.batch_norm(y, scale, shift, 1e-5).expect("fits");
        g.output(&format!("moments{layer}"), moments).expect("new");
        h = g.map_scalars(activation, y, numbers).expect("a float");
    }
    let shape = g.shape(h).to_vec();
    let d = g.input("d", &shape, DType::F32).expect("new");
    for (i, gradient) in g.grad(h, Some(d), &inputs).expect("differentiable").into_iter().enumerate() {
        g.output(&format!("gradient{i}"), gradient).expect("new");
    }
    g
}

/// What is worth computing as it is read, and what goes to where columns are finished, differs from class to class.
#[test]
fn networks_of_norms_are_planned_right_for_every_class_of_device() {
    let activations: [(Elementwise, &[f64]); 3] =
        [(Elementwise::Relu, &[]), (Elementwise::LeakyRelu, &[0.2]), (Elementwise::Clamp, &[0.0, 6.0])];
    for (activation, numbers) in activations {
        for shape in [[8, 1, 1], [128, 1, 2], [8, 3, 1], [64, 3, 2], [128, 3, 1]] {
            let graph = normed(activation, numbers, shape);
            for class in DeviceClass::ALL {
                for transformed in Transformed::ALL {
                    let variants = Variants::of(class).with_transforms(transformed);
                    let name = format!("{activation:?} {shape:?} {class:?} {transformed:?}");
                    // What is hoisted or inlined must still be bound where an adapter has fewer, such as a browser's.
                    for max_operands in [6, 8, 10, 12] {
                        let options = PlanOptions { max_operands, ..plan_options(&variants) };
                        let plan = Plan::new(&graph, &options);
                        let plan = plan.unwrap_or_else(|e| panic!("{name}, {max_operands} operands: {e}"));
                        for step in &plan.steps {
                            let made = dispatches(step, &variants);
                            assert!(made.is_ok_and(|made| !made.is_empty()), "{name}: {}", step.label);
                        }
                    }
                }
            }
        }
    }
}
