//! Steps that compute their forward pass a second time instead of keeping it: the same numbers, less memory.

use chiaro_cpu::Cpu;
use chiaro_cpu::reference::Reference;
use chiaro_graph::plan::{Plan, PlanOptions};
use chiaro_graph::{Backend, DType, Graph, Tensor};
use chiaro_nn::models::by_name;
use chiaro_nn::{PARAMS, Precision, Sgd, TrainOptions, TrainStep};

const IMAGE: [usize; 3] = [16, 16, 3];

fn step(model: &str, batch: usize, precision: Precision, recompute: bool) -> TrainStep {
    let model = by_name(model, 3, IMAGE).expect("a model");
    let options = TrainOptions { precision, recompute, dropout: Some(0.2), ..TrainOptions::new(batch, Sgd::default()) };
    let without = TrainOptions { dropout: None, ..options.clone() };
    // Not every model has dropout layers.
    TrainStep::build(&model, options).or_else(|_| TrainStep::build(&model, without)).expect("recorded")
}

/// Parameters after two steps.
fn trained(backend: &mut dyn Backend, step: &TrainStep, batch: usize) -> Vec<f32> {
    let plan = backend.compile(&step.graph).expect("compiles");
    for (name, values) in step.initial_arenas(3) {
        backend.write_arena(&name, &values).expect("arena");
    }
    let [h, w, c] = IMAGE;
    let pixels = (0..batch * h * w * c).map(|i| (i * 7919 % 1013) as f32 / 506.5 - 1.0).collect();
    let images = Tensor::f32([batch, h, w, c], pixels).expect("images");
    let labels = Tensor::i32([batch], (0..batch as i32).map(|i| i % 3).collect()).expect("labels");
    for number in 0..2 {
        let inputs = step.inputs(images.clone(), labels.clone(), 5, number, 0.05);
        backend.run(plan, &inputs).expect("a step");
    }
    backend.read_arena(PARAMS).expect("parameters").as_f32().expect("floats").to_vec()
}

#[test]
fn a_step_that_recomputes_trains_to_the_same_numbers() {
    for (model, batch) in [("resnet20", 4), ("airbench94", 3), ("vit_tiny_patch16_224", 2), ("mobilenet_v3_small", 2)] {
        let [kept, again] = [false, true].map(|recompute| step(model, batch, Precision::F32, recompute));
        assert!(again.graph.nodes().len() > kept.graph.nodes().len(), "{model}: nothing is computed anew");
        let [kept, again] = [kept, again].map(|step| trained(&mut Reference::new(), &step, batch));
        assert!(kept == again, "{model}: the reference gives other numbers");
    }
}

#[test]
fn a_step_that_recomputes_trains_alike_on_the_cpu_in_both_precisions() {
    for (precision, limit) in [(Precision::F32, 2e-6), (Precision::f16(), 2e-4)] {
        let [kept, again] = [false, true].map(|recompute| {
            let step = step("resnet20", 8, precision, recompute);
            trained(&mut Cpu::new(Some(2)).expect("a device"), &step, 8)
        });
        let apart = kept.iter().zip(&again).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart <= limit, "{precision:?}: {apart:e}");
        let moved = kept.iter().zip(trained_not_at_all()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(moved > 100.0 * limit, "the steps change too little to compare: {moved:e}");
    }
}

fn trained_not_at_all() -> Vec<f32> {
    let step = step("resnet20", 8, Precision::F32, false);
    let arenas = step.initial_arenas(3);
    let parameters = arenas.iter().find(|(name, _)| name == PARAMS).expect("parameters");
    parameters.1.as_f32().expect("floats").to_vec()
}

/// Bytes that a step's plan keeps, the gradients of the parameters apart.
fn kept_bytes(step: &TrainStep) -> usize {
    let plan = Plan::new(&step.graph, &PlanOptions::default()).expect("a plan");
    let parameters = step.graph.arenas().iter().find(|arena| arena.name == PARAMS).expect("parameters").len;
    plan.intermediate_bytes() - parameters * DType::F32.size()
}

#[test]
fn a_step_that_recomputes_keeps_at_most_seven_tenths() {
    for model in ["resnet18", "resnet50", "densenet121", "mobilenet_v2", "convnext_tiny"] {
        let [kept, again] = [false, true].map(|recompute| kept_bytes(&step(model, 32, Precision::F32, recompute)));
        assert!(again * 10 <= kept * 7, "{model}: {again} bytes instead of {kept}");
    }
}

#[test]
fn a_graph_in_which_recomputing_saves_nothing_is_known() {
    let recomputes = |products: usize| {
        let mut g = Graph::new();
        let x = g.input("x", &[4, 4], DType::F32).expect("an input");
        let y = (0..products).try_fold(x, |y, _| g.matmul(y, x, false, false)).expect("fits");
        let loss = g.sum_all(y).expect("a sum");
        g.grad_recomputing(loss, None, &[x]).expect("a gradient");
        g.recomputes()
    };
    assert_eq!([1, 2, 16].map(recomputes), [false, false, true]);
}

#[test]
fn gradients_that_are_computed_anew_are_those_of_what_is_kept() {
    let gradients = |recompute: bool| {
        let mut g = Graph::new();
        let x = g.input("x", &[6, 6], DType::F32).expect("an input");
        let w = g.input("w", &[6, 6], DType::F32).expect("an input");
        let mut y = x;
        for _ in 0..9 {
            let product = g.matmul(y, w, false, false).expect("fits");
            y = g.tanh(product).expect("fits");
        }
        let loss = g.sum_all(y).expect("fits");
        let found = match recompute {
            true => g.grad_recomputing(loss, None, &[x, w]),
            false => g.grad(loss, None, &[x, w]),
        };
        let found = found.expect("gradients");
        g.output("x", found[0]).expect("an output");
        g.output("w", found[1]).expect("an output");
        let tensor = |by: usize| {
            let values = (0..36).map(|i| ((i * by) % 17) as f32 / 20.0 - 0.4).collect();
            Tensor::f32([6, 6], values).expect("a matrix")
        };
        let products = g.nodes().iter().filter(|node| matches!(node.op, chiaro_graph::Op::MatMul { .. })).count();
        (products, chiaro_graph::evaluate(&mut Reference::new(), &g, &[tensor(5), tensor(7)]).expect("values"))
    };
    let ((kept, want), (again, got)) = (gradients(false), gradients(true));
    assert_eq!(got, want);
    assert!(again > kept && again < kept + 9, "{again} products with and {kept} without: the last segment is kept");
}
