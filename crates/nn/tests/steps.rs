//! Training and evaluation steps on the reference executor: what they do beside what the golden runs show.

use std::sync::Arc;

use chiaro_cpu::reference::Reference;
use chiaro_graph::{ARENA_ALIGNMENT, Backend, DType, Graph, PlanId, Target, Tensor, Var, evaluate};
use chiaro_nn::models::by_name;
use chiaro_nn::{
    BUFFERS, BatchNorm2d, Classification, Context, Decay, Declare, Dropout, EvalStep, Flatten, GlobalAvgPool, Linear,
    METRICS, Metrics, Mode, Model, Module, Optimizers, PARAMS, Sequential, Sgd, TrainOptions, TrainStep,
    clip_by_global_norm, clip_by_norm, unpack_arena,
};

const BATCH: usize = 8;

/// Images whose class is the brighter half, with a seeded pattern on top.
fn halves(n: usize, size: usize) -> (Tensor, Tensor) {
    let mut state = 12345u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let labels: Vec<i32> = (0..n).map(|i| (i * 7 % 3 % 2) as i32).collect();
    let mut pixels = vec![];
    for &label in &labels {
        for p in 0..size * size {
            let bright = (p / size < size / 2) == (label == 0);
            pixels.push(noise() + if bright { 0.5 } else { -0.5 });
        }
    }
    let images = Tensor::f32([n, size, size, 1], pixels).expect("images");
    (images, Tensor::i32([n], labels).expect("labels"))
}

fn start(backend: &mut dyn Backend, step: &TrainStep, seed: u64) -> PlanId {
    let plan = backend.compile(&step.graph).expect("compiles");
    for (name, values) in step.initial_arenas(seed) {
        backend.write_arena(&name, &values).expect("arena");
    }
    plan
}

fn metrics(backend: &mut dyn Backend) -> Metrics {
    Metrics::from_arena(&backend.read_arena(METRICS).expect("metrics"), 2).expect("metrics")
}

fn sgd(momentum: f64) -> Sgd {
    Sgd { momentum, ..Sgd::default() }
}

#[test]
fn the_small_cnn_learns_and_evaluates_with_what_it_learnt() {
    let model = by_name("small-cnn", 2, [12, 12, 1]).expect("fits");
    let options = TrainOptions { output_logits: true, ..TrainOptions::new(BATCH, sgd(0.9)) };
    let step = TrainStep::build(&model, options).expect("recorded");
    let mut backend = Reference::new();
    let plan = start(&mut backend, &step, 1);
    let (images, labels) = halves(BATCH, 12);
    let mut losses = vec![];
    for s in 0..12 {
        let inputs = step.inputs(images.clone(), labels.clone(), 1, s, 0.05);
        backend.run(plan, &inputs).expect("a step");
        losses.push(backend.read(plan, 0).expect("loss").to_f64()[0]);
    }
    assert!(losses[11] < 0.1 * losses[0], "{losses:?}");
    assert_eq!(backend.read(plan, 1).expect("logits").shape(), [BATCH, 2]);
    let m = metrics(&mut backend);
    assert_eq!(m.samples, 12.0 * BATCH as f64);
    assert!((m.loss() - losses.iter().sum::<f64>() / 12.0).abs() < 1e-6);

    let eval = EvalStep::build(&model, 16).expect("recorded");
    let plan = backend.compile(&eval.graph).expect("compiles");
    backend.write_arena(METRICS, &Tensor::zeros([ARENA_ALIGNMENT], DType::F32)).expect("cleared");
    let inputs = eval.padded(&images, &labels).expect("fits");
    backend.run(plan, &inputs).expect("a step");
    let m = metrics(&mut backend);
    assert_eq!((m.samples, m.mean(0), m.non_finite), (BATCH as f64, 1.0, 0.0));
}

#[test]
fn rows_that_fill_up_a_batch_change_no_metric() {
    let model = by_name("lenet5", 2, [16, 16, 1]).expect("fits");
    let (images, labels) = halves(5, 16);
    let mut results = vec![];
    for batch in [5, 9] {
        let mut backend = Reference::new();
        let eval = EvalStep::build(&model, batch).expect("recorded");
        let plan = backend.compile(&eval.graph).expect("compiles");
        let step = TrainStep::build(&model, TrainOptions::new(1, sgd(0.0))).expect("recorded");
        for (name, values) in step.initial_arenas(3).into_iter().filter(|(name, _)| name == PARAMS) {
            backend.write_arena(&name, &values).expect("arena");
        }
        backend.run(plan, &eval.padded(&images, &labels).expect("fits")).expect("a step");
        results.push(metrics(&mut backend));
    }
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0].samples, 5.0);
    assert!(EvalStep::build(&model, 4).expect("recorded").padded(&images, &labels).is_none());
}

#[test]
fn a_loss_that_is_not_finite_is_counted_and_spoils_no_sum() {
    let model = Model::new("flat", [4, 4, 1], 2, Sequential::new().push(Flatten).push(Linear::new(2))).expect("fits");
    let step = TrainStep::build(&model, TrainOptions::new(BATCH, sgd(0.0))).expect("recorded");
    let mut backend = Reference::new();
    let plan = start(&mut backend, &step, 1);
    let (images, labels) = halves(BATCH, 4);
    backend.run(plan, &step.inputs(images.clone(), labels.clone(), 1, 0, 0.1)).expect("a step");
    let before = metrics(&mut backend);
    let mut broken = images.as_f32().expect("f32").to_vec();
    broken[3] = f32::NAN;
    let broken = Tensor::f32(images.shape().to_vec(), broken).expect("images");
    backend.run(plan, &step.inputs(broken, labels, 1, 1, 0.1)).expect("a step");
    let after = metrics(&mut backend);
    assert_eq!((before.non_finite, after.non_finite), (0.0, 1.0));
    assert_eq!(before.loss_sum, after.loss_sum);
}

#[test]
fn dropout_depends_on_seed_and_step_and_rests_in_evaluation() {
    let layers = || Sequential::new().push(Dropout { p: 0.5 }).push(Flatten).push(Linear::new(2));
    let model = Model::new("dropped", [6, 6, 1], 2, layers()).expect("fits");
    let options = TrainOptions { output_logits: true, ..TrainOptions::new(BATCH, sgd(0.0)) };
    let step = TrainStep::build(&model, options).expect("recorded");
    let (images, labels) = halves(BATCH, 6);
    let mut backend = Reference::new();
    let plan = start(&mut backend, &step, 1);
    let mut logits = |seed, s| {
        let inputs = step.inputs(images.clone(), labels.clone(), seed, s, 0.0);
        backend.run(plan, &inputs).expect("a step");
        backend.read(plan, 1).expect("logits").to_f64()
    };
    let first = logits(1, 0);
    assert_eq!(first, logits(1, 0));
    for (seed, s) in [(1, 1), (2, 0), (1 << 32 | 1, 0)] {
        assert_ne!(first, logits(seed, s));
    }
    let eval = EvalStep::build(&model, BATCH).expect("recorded");
    let plain = Model::new("plain", [6, 6, 1], 2, layers_without_dropout()).expect("fits");
    let plain = EvalStep::build(&plain, BATCH).expect("recorded");
    assert_eq!(eval.graph.nodes().len(), plain.graph.nodes().len());
}

fn layers_without_dropout() -> Sequential {
    Sequential::new().push(Flatten).push(Linear::new(2))
}

#[test]
fn running_statistics_blend_with_each_layers_own_momentum() {
    // Of one momentum all layers take a shorter way, where no buffer is without an update.
    [[0.25, 0.5], [0.25, 0.25]].into_iter().for_each(check_blending);
}

/// Declares a statistic that no step updates.
struct Idle;

impl Module for Idle {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> chiaro_graph::Result<Vec<usize>> {
        declare.statistic("untouched", &[1], chiaro_nn::Init::ONES)?;
        Ok(x.to_vec())
    }

    fn forward(&self, _: &mut Context<'_>, x: Var) -> chiaro_graph::Result<Var> {
        Ok(x)
    }

    fn kind(&self) -> &'static str {
        "Idle"
    }
}

fn check_blending([of_a, of_b]: [f64; 2]) {
    let mut graph = Graph::new();
    let x = graph.input("x", &[2, 1, 2, 1], DType::F32).expect("input");
    let mut ctx = Context::new(&mut graph, Mode::Train, None);
    ctx.call("a", &BatchNorm2d { momentum: of_a, ..BatchNorm2d::new() }, x).expect("a norm");
    ctx.call("b", &BatchNorm2d { momentum: of_b, ..BatchNorm2d::new() }, x).expect("a norm");
    ctx.call("idle", &Idle, x).expect("a statistic");
    let declared = ctx.finish().expect("finished");
    assert_eq!(graph.assignments().len(), 1, "one assignment for all layers");
    let mut backend = Reference::new();
    let plan = backend.compile(&graph).expect("compiles");
    let initial = chiaro_nn::initial_arena(&graph, &declared.buffers, 0);
    backend.write_arena(BUFFERS, &initial).expect("arena");
    // Mean 4, biased variance 5, unbiased 20/3.
    backend.run(plan, &[Tensor::f32([2, 1, 2, 1], vec![1.0, 3.0, 5.0, 7.0]).expect("x")]).expect("a step");
    let flat = backend.read_arena(BUFFERS).expect("buffers");
    let got: Vec<(String, f64)> = unpack_arena(&graph, BUFFERS, &flat)
        .expect("buffers")
        .into_iter()
        .map(|(name, t)| (name, t.to_f64()[0]))
        .collect();
    let variance = 20.0 / 3.0;
    let want = [
        ("a.running_mean", of_a * 4.0),
        ("a.running_var", 1.0 - of_a + of_a * variance),
        ("b.running_mean", of_b * 4.0),
        ("b.running_var", 1.0 - of_b + of_b * variance),
        ("idle.untouched", 1.0),
    ];
    for ((name, value), (want_name, want_value)) in got.iter().zip(want) {
        assert_eq!(name, want_name);
        assert!((value - want_value).abs() < 1e-6, "{name}: {value}, expected {want_value}");
    }
}

#[test]
fn training_batch_norm_on_one_value_per_channel_is_refused() {
    let layers = Sequential::new().push(GlobalAvgPool).named("norm", BatchNorm2d::new()).push(Linear::new(2));
    let model = Model::new("one", [4, 4, 1], 2, layers).expect("evaluation needs no batch");
    assert!(TrainStep::build(&model, TrainOptions::new(2, sgd(0.0))).is_ok());
    let error = TrainStep::build(&model, TrainOptions::new(1, sgd(0.0))).expect_err("one value").to_string();
    assert!(error.contains("norm") && error.contains("more than one value"), "{error}");
}

#[test]
fn clipping_bounds_the_norm_of_all_gradients_together() {
    let values = vec![3.0, -4.0, 12.0]; // norm 13
    let clipped = |limit| {
        let mut graph = Graph::new();
        let g = graph.input("g", &[3], DType::F32).expect("input");
        let (y, norm) = clip_by_global_norm(&mut graph, g, limit).expect("recorded");
        graph.output("y", y).expect("output");
        graph.output("norm", norm).expect("output");
        let input = Tensor::f32([3], values.clone()).expect("g");
        let out = evaluate(&mut Reference::new(), &graph, &[input]).expect("evaluated");
        assert_eq!(out[1].to_f64(), [13.0]);
        out[0].to_f64()
    };
    assert_eq!(clipped(20.0), [3.0, -4.0, 12.0]);
    let scale = 6.5 / (13.0 + 1e-6);
    for (got, want) in clipped(6.5).iter().zip([3.0, -4.0, 12.0]) {
        assert!((got - want * scale).abs() < 1e-6, "{got}");
    }
}

#[test]
fn a_clipped_step_moves_the_weights_by_the_rate_times_the_limit() {
    let model = by_name("lenet5", 2, [16, 16, 1]).expect("fits");
    let options = TrainOptions { gradient_changes: vec![clip_by_norm(0.01)], ..TrainOptions::new(BATCH, sgd(0.0)) };
    let step = TrainStep::build(&model, options).expect("recorded");
    let mut backend = Reference::new();
    let plan = start(&mut backend, &step, 1);
    let before = backend.read_arena(PARAMS).expect("parameters").to_f64();
    let (images, labels) = halves(BATCH, 16);
    backend.run(plan, &step.inputs(images, labels, 1, 0, 10.0)).expect("a step");
    let after = backend.read_arena(PARAMS).expect("parameters").to_f64();
    let moved = before.iter().zip(&after).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
    assert!((moved / 0.1 - 1.0).abs() < 1e-3, "{moved}");
}

#[test]
fn decay_of_weights_alone_leaves_vectors_as_they_are() {
    for (optimizer, factor) in [
        (Optimizers::new(Sgd { weight_decay: 0.5, ..Sgd::default() }), 0.95),
        (Optimizers::new(chiaro_nn::AdamW { weight_decay: 0.5, ..Default::default() }), 0.95),
    ] {
        for (decay, vector) in [(Decay::All, factor), (Decay::Weights, 1.0)] {
            let optimizer = optimizer.clone().decay(decay);
            let mut graph = Graph::new();
            let arena = graph.arena(PARAMS, DType::F32).expect("arena");
            graph.state(arena, "weight", &[2, 2]).expect("state");
            graph.state(arena, "bias", &[2]).expect("state");
            let hyper = graph.input("hyper", &[optimizer.hyper_len()], DType::F32).expect("input");
            let len = 2 * ARENA_ALIGNMENT;
            let zeros = graph.full(&[len], 0.0, DType::F32).expect("positive extents");
            optimizer.apply(&mut graph, arena, zeros, hyper, None).expect("recorded");
            assert!(graph.assignments().iter().all(|(t, _)| matches!(t, Target::Arena(_))));
            let mut backend = Reference::new();
            let plan = backend.compile(&graph).expect("compiles");
            backend.write_arena(PARAMS, &Tensor::f32([len], vec![2.0; len]).expect("ones")).expect("arena");
            backend.run(plan, &[optimizer.hyper(0.1, 0)]).expect("a step");
            let flat = backend.read_arena(PARAMS).expect("parameters").to_f64();
            assert!((flat[0] - 2.0 * factor).abs() < 1e-6, "{optimizer:?} {decay:?}: {}", flat[0]);
            let bias = flat[ARENA_ALIGNMENT];
            assert!((bias - 2.0 * vector).abs() < 1e-6, "{optimizer:?} {decay:?}: {bias}");
        }
    }
}

#[test]
fn class_weights_and_smoothing_reach_the_loss() {
    let model = Model::new("flat", [4, 4, 1], 2, Sequential::new().push(Flatten).push(Linear::new(2))).expect("fits");
    let (images, labels) = halves(BATCH, 4);
    let loss = |label_smoothing: f64, class_weights: Option<Vec<f32>>| {
        let objective = Arc::new(Classification { label_smoothing, class_weights, ..Default::default() });
        let options = TrainOptions { objective, ..TrainOptions::new(BATCH, sgd(0.0)) };
        let step = TrainStep::build(&model, options).expect("recorded");
        let mut backend = Reference::new();
        let plan = start(&mut backend, &step, 1);
        backend.run(plan, &step.inputs(images.clone(), labels.clone(), 1, 0, 0.1)).expect("a step");
        backend.read(plan, 0).expect("loss").to_f64()[0]
    };
    let plain = loss(0.0, None);
    assert!((loss(0.0, Some(vec![2.0, 2.0])) - plain).abs() < 1e-6, "equal weights cancel");
    assert!((loss(0.0, Some(vec![3.0, 1.0])) - plain).abs() > 1e-4);
    assert!((loss(0.1, None) - plain).abs() > 1e-5);
}
