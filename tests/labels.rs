//! Labels that are no class, on every backend: an error of the step where the host gives them, the nearest class where the device
//! computes them.

mod support;

use chiaro::cpu::reference::Reference;
use chiaro::graph::{BackendError, CrossEntropyOptions, DType, Elementwise, Graph, Reduction, evaluate};
use chiaro::nn::models::by_name;
use chiaro::nn::{PARAMS, Sgd, TrainOptions, TrainStep};
use chiaro::{Backend, Tensor};

fn backends() -> Vec<Box<dyn Backend>> {
    let mut all: Vec<Box<dyn Backend>> = vec![Box::new(Reference::new()), Box::new(support::cpu())];
    all.extend(support::gpu().map(|gpu| Box::new(gpu) as Box<dyn Backend>));
    all
}

#[test]
fn a_training_step_with_a_label_outside_is_refused_and_changes_nothing() {
    let model = by_name("lenet5", 4, [28, 28, 1]).expect("a model");
    let step = TrainStep::build(&model, TrainOptions::new(3, Sgd::default())).expect("a step");
    let (images, labels) = support::bright_rows(3, 28, 1);
    for mut backend in backends() {
        let plan = support::start(&mut *backend, &step, 7);
        let before = backend.read_arena(PARAMS).expect("parameters");
        for wrong in [4, -1, 1000] {
            let given = Tensor::i32([3], vec![0, 3, wrong]).expect("three");
            let error = backend.run(plan, &step.inputs(images.clone(), given, 7, 0, 0.1)).expect_err("no class");
            assert!(matches!(error, BackendError::Index { .. }));
            let wanted =
                format!("input \"labels\": value {wrong} at [2] is outside 0..4 (cross_entropy over 4 classes)");
            assert_eq!(error.to_string(), wanted, "{}", backend.name());
        }
        assert_eq!(backend.read_arena(PARAMS).expect("parameters"), before, "{}", backend.name());
        backend.run(plan, &step.inputs(images.clone(), labels.clone(), 7, 0, 0.1)).expect("labels of classes");
        assert_ne!(backend.read_arena(PARAMS).expect("parameters"), before, "{}", backend.name());
    }
}

#[test]
fn a_computed_label_outside_counts_as_the_nearest_class() {
    let mut g = Graph::new();
    let logits = g.input("logits", &[4, 3], DType::F32).expect("new");
    let seeds = g.input("seeds", &[4], DType::I32).expect("new");
    let labels = g.map_scalars(Elementwise::Mul, seeds, &[3.0]).expect("integers");
    let options = CrossEntropyOptions { reduction: Reduction::None, ..CrossEntropyOptions::default() };
    let losses = g.cross_entropy(logits, labels, &options).expect("fits");
    g.output("losses", losses).expect("new");
    let given = [
        Tensor::f32([4, 3], [0.5, 1.5, -1.0].repeat(4)).expect("twelve"),
        Tensor::i32([4], vec![1, 3, -1, 0]).expect("four"),
    ];
    let total: f64 = [0.5f64, 1.5, -1.0].iter().map(|x| x.exp()).sum();
    let of = |class: usize| total.ln() - [0.5, 1.5, -1.0][class];
    for mut backend in backends() {
        let losses = evaluate(&mut *backend, &g, &given).expect("runs")[0].to_f64();
        for (got, want) in losses.iter().zip([of(2), of(2), of(0), of(0)]) {
            assert!((got - want).abs() < 1e-6, "{}: {losses:?}", backend.name());
        }
    }
}
