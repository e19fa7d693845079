//! Every kernel of every op case, without a device: validated by naga and translated to the languages of all platforms.

use std::collections::HashSet;

use chiaro_graph::plan::{Plan, PlanOptions};
use chiaro_shaders::validate;

use super::{Variants, dispatches, plan_options};

fn options(variants: &Variants, fuse: bool) -> PlanOptions {
    PlanOptions { fuse, ..plan_options(variants) }
}

/// Checks the kernels of a graph that were not `seen` yet.
fn check(name: &str, graph: &chiaro_graph::Graph, variants: &Variants, fuse: bool, seen: &mut HashSet<String>) {
    let plan = Plan::new(graph, &options(variants, fuse)).unwrap_or_else(|e| panic!("{name}: {e}"));
    for step in &plan.steps {
        let made = dispatches(step, variants).unwrap_or_else(|e| panic!("{name}: {}: {e}", step.label));
        for dispatch in made {
            if seen.contains(&dispatch.wgsl) {
                continue;
            }
            let text = &dispatch.wgsl;
            let checked = validate::check(text, &[]).unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
            assert_eq!(checked.storage_buffers(), dispatch.parts.len(), "{name}\n{text}");
            assert!(checked.storage_buffers() <= 9, "{name}: {} buffers\n{text}", checked.storage_buffers());
            let translated = checked.spirv().and_then(|_| checked.msl()).and_then(|_| checked.hlsl());
            assert!(translated.is_ok(), "{name}: {translated:?}\n{text}");
            seen.insert(dispatch.wgsl);
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
) -> usize {
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
    println!("{name}: {} steps, {} dispatches", plan.steps.len(), calls.iter().sum::<usize>());
    for (step, calls) in plan.steps.iter().zip(&calls) {
        println!("  {calls} {:22} {:50} {} operands", step.kernel.name(), step.label, step.operands.len());
    }
    calls.iter().sum()
}

#[test]
fn training_steps_of_models_take_few_dispatches() {
    let mut seen = HashSet::new();
    let wide = chiaro_nn::Precision::F32;
    let small = training_step("small-cnn", [28, 28, 1], 64, wide, &mut seen);
    assert!(small <= 60, "{small} dispatches of the small CNN");
    let resnet = training_step("resnet18", [32, 32, 3], 128, wide, &mut seen);
    // 160 where every input that can be is computed as it is read; the last stages' readings cost more than the passes they save.
    assert!(resnet <= 172, "{resnet} dispatches of ResNet-18");
    // In 16 bits beside these: copies of weights, images and the logits' gradient, the check of all gradients in two passes, and the
    // loss scale.
    let half = training_step("resnet18", [32, 32, 3], 128, chiaro_nn::Precision::f16(), &mut seen);
    assert!(half <= resnet + 7, "{half} dispatches of ResNet-18 in 16 bits");
}
