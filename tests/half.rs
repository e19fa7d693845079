//! Training in 16 bits on every backend: its losses beside those of 32 bits, and the loss scale.

mod support;

use chiaro::cpu::reference::Reference;
use chiaro::graph::shape::count;
use chiaro::graph::{Elementwise, PlanId};
use chiaro::nn::{
    Activation, Adam, BUFFERS, BatchNorm2d, Conv2d, Dropout, EvalStep, Flatten, GlobalAvgPool, LOSS_SCALE, Linear,
    LossScale, LossScaleState, METRICS, MaxPool2d, Metrics, Model, Optimizers, PARAMS, Precision, Residual, Sequential,
    Sgd, TrainOptions, TrainStep, arena_id,
};
use chiaro::{Backend, DType, Graph, Tensor};

const BATCH: usize = 16;
const SIZE: usize = 12;

fn backends() -> Vec<Box<dyn Backend>> {
    let mut all: Vec<Box<dyn Backend>> = vec![Box::new(Reference::rounding_halves()), Box::new(support::cpu())];
    all.extend(support::gpu().map(|gpu| Box::new(gpu) as Box<dyn Backend>));
    all
}

/// A network with every kind of layer.
fn network() -> Model {
    let inner = Sequential::new()
        .named("conv", Conv2d::new(8, 3).padding(1).without_bias())
        .named("norm", BatchNorm2d::new())
        .push(Activation::Relu);
    let layers = Sequential::new()
        .named("conv1", Conv2d::new(8, 3).padding(1))
        .named("norm1", BatchNorm2d::new())
        .push(Activation::Relu)
        .push(MaxPool2d::new(2))
        .named("block", Residual(inner))
        .push(Dropout { p: 0.1 })
        .named("conv2", Conv2d::new(16, 3).stride(2))
        .push(Activation::Silu)
        .push(GlobalAvgPool)
        .named("fc1", Linear::new(24))
        .push(Activation::Relu)
        .named("fc2", Linear::new(4));
    Model::new("mixed", [SIZE, SIZE, 1], 4, layers).expect("the layers fit")
}

struct Run<'b> {
    backend: &'b mut dyn Backend,
    step: TrainStep,
    plan: PlanId,
    done: u64,
    rate: f64,
}

impl<'b> Run<'b> {
    fn new(backend: &'b mut dyn Backend, precision: Precision, optimizer: Optimizers, rate: f64) -> Run<'b> {
        let options = TrainOptions { precision, ..TrainOptions::new(BATCH, optimizer) };
        let step = TrainStep::build(&network(), options).expect("the step is recorded");
        let plan = support::start(backend, &step, 7);
        Run { backend, step, plan, done: 0, rate }
    }

    /// One step on images multiplied by a factor; gives the loss.
    fn advance(&mut self, factor: f32) -> f64 {
        let (images, labels) = support::bright_rows(BATCH, SIZE, self.done % 6);
        let pixels = images.as_f32().expect("floats").iter().map(|p| p * factor).collect();
        let images = Tensor::f32(images.shape(), pixels).expect("as many");
        let inputs = self.step.inputs(images, labels, 1, self.done, self.rate);
        self.backend.run(self.plan, &inputs).expect("a step");
        self.done += 1;
        self.backend.read(self.plan, 0).expect("the loss").to_f64()[0]
    }

    fn repeat(&mut self, steps: usize) {
        for _ in 0..steps {
            self.advance(1.0);
        }
    }

    fn scale(&mut self) -> LossScaleState {
        LossScaleState::from_arena(&self.backend.read_arena(LOSS_SCALE).expect("the loss scale")).expect("three values")
    }

    /// The bits of all that a step may change but the loss scale and the metrics.
    fn state(&mut self) -> Vec<(String, Vec<u32>)> {
        let names: Vec<String> = self.step.graph.arenas().iter().map(|a| a.name.clone()).collect();
        let kept = names.into_iter().filter(|n| n != LOSS_SCALE && n != METRICS);
        let bits = |t: Tensor| t.as_f32().expect("floats").iter().map(|v| v.to_bits()).collect();
        kept.map(|name| (name.clone(), bits(self.backend.read_arena(&name).expect("an arena")))).collect()
    }

    fn accuracy(&mut self) -> f64 {
        let eval = EvalStep::build(&network(), BATCH).expect("recorded");
        let plan = self.backend.compile(&eval.graph).expect("compiles");
        let len = self.backend.read_arena(METRICS).expect("metrics").shape()[0];
        self.backend.write_arena(METRICS, &Tensor::f32([len], vec![0.0; len]).expect("zeros")).expect("cleared");
        for index in 0..6 {
            let (images, labels) = support::bright_rows(BATCH, SIZE, index);
            self.backend.run(plan, &[images, labels]).expect("a step");
        }
        Metrics::from_arena(&self.backend.read_arena(METRICS).expect("metrics"), 2).expect("four").mean(0)
    }
}

fn sgd() -> Optimizers {
    Sgd { momentum: 0.9, nesterov: false, weight_decay: 1e-4 }.into()
}

/// Losses of 60 steps and the accuracy of the 32-bit evaluation afterwards.
fn trained(backend: &mut dyn Backend, precision: Precision, optimizer: Optimizers, rate: f64) -> (Vec<f64>, f64) {
    let mut run = Run::new(backend, precision, optimizer, rate);
    let losses = (0..60).map(|_| run.advance(1.0)).collect();
    (losses, run.accuracy())
}

/// Mean over the last ten.
fn last(losses: &[f64]) -> f64 {
    losses[losses.len() - 10..].iter().sum::<f64>() / 10.0
}

fn learns_as_in_32_bits(new: impl Fn() -> Option<Box<dyn Backend>>) {
    for (optimizer, rate) in [(sgd(), 0.05), (Adam::default().into(), 0.01)] {
        let (Some(mut wide), Some(mut half)) = (new(), new()) else { return };
        let (want, _) = trained(&mut *wide, Precision::F32, optimizer.clone(), rate);
        let (got, accuracy) = trained(&mut *half, Precision::f16(), optimizer.clone(), rate);
        let early = got.iter().zip(&want).take(10).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max);
        let mean = got.iter().zip(&want).map(|(a, b)| (a - b).abs()).sum::<f64>() / got.len() as f64;
        println!("{}: first 10 within {early:.1e}, mean distance {mean:.1e}, accuracy {accuracy}", half.name());
        // Measured: 7.9e-3 and 3.3e-3 at the most, both with Adam.
        assert!(early < 2e-2 && mean < 1e-2, "{optimizer:?}: {early:e}, {mean:e}\n{got:?}\n{want:?}");
        assert!(last(&got) < 0.2 * got[0], "nothing was learnt: {got:?}");
        assert!((last(&got) - last(&want)).abs() < 0.05, "{} and {}", last(&got), last(&want));
        assert!(accuracy > 0.95, "{accuracy}");
    }
}

#[test]
fn sixteen_bits_learn_as_32_do_on_the_cpu() {
    learns_as_in_32_bits(|| Some(Box::new(support::cpu())));
}

#[test]
fn sixteen_bits_learn_as_32_do_on_the_gpu() {
    learns_as_in_32_bits(|| Some(Box::new(support::gpu()?)));
}

fn scaled(initial: f64, interval: u32) -> Precision {
    Precision::F16(LossScale { initial, interval, ..LossScale::default() })
}

#[test]
fn the_scale_grows_after_a_run_of_good_steps() {
    for mut backend in backends() {
        let mut run = Run::new(&mut *backend, scaled(256.0, 3), sgd(), 0.01);
        let mut scales = vec![run.scale().scale];
        for _ in 0..7 {
            run.advance(1.0);
            scales.push(run.scale().scale);
        }
        let name = run.backend.name();
        assert_eq!(scales, [256.0, 256.0, 256.0, 512.0, 512.0, 512.0, 1024.0, 1024.0], "{name}");
        assert_eq!(run.scale(), LossScaleState { scale: 1024.0, good_steps: 1.0, skipped: 0.0 }, "{name}");
    }
}

#[test]
fn an_overflow_halves_the_scale_and_changes_nothing_else() {
    for optimizer in [sgd(), Adam::default().into()] {
        for mut backend in backends() {
            let mut run = Run::new(&mut *backend, scaled(1024.0, 100), optimizer.clone(), 0.01);
            let name = run.backend.name();
            run.repeat(3);
            let before = run.state();
            assert!(before.iter().any(|(n, _)| n == BUFFERS) && before.len() >= 3, "{name}: {} arenas", before.len());
            // Beyond the largest 16-bit number.
            run.advance(1e6);
            assert_eq!(run.scale(), LossScaleState { scale: 512.0, good_steps: 0.0, skipped: 1.0 }, "{name}");
            assert!(run.state() == before, "{name}: a step that was left out changed something");
            run.advance(1.0);
            assert_eq!(run.scale(), LossScaleState { scale: 512.0, good_steps: 1.0, skipped: 1.0 }, "{name}");
            let after = run.state();
            assert!(after.iter().zip(&before).all(|(a, b)| a != b), "{name}: a good step changed nothing");
        }
    }
}

#[test]
fn too_large_a_scale_falls_until_gradients_fit() {
    let settings = LossScale { initial: 67_108_864.0, bounds: [1.0, 67_108_864.0], ..LossScale::default() };
    let mut seen = vec![];
    for mut backend in backends() {
        let mut run = Run::new(&mut *backend, Precision::F16(settings), sgd(), 0.01);
        let first = run.state();
        let losses: Vec<f64> = (0..16).map(|_| run.advance(1.0)).collect();
        let (name, state) = (run.backend.name(), run.scale());
        println!("{name}: {state:?}");
        assert!(losses.iter().all(|l| l.is_finite()), "{name}: the loss itself is not scaled: {losses:?}");
        assert!(state.skipped >= 4.0 && state.good_steps >= 4.0, "{name}: {state:?}");
        assert_eq!(state.scale, settings.initial / 2f64.powf(state.skipped), "{name}");
        assert!(run.state() != first, "{name}");
        seen.push(state);
    }
    assert!(seen.iter().all(|s| *s == seen[0]), "{seen:?}");
}

/// Gradients of the first layer where the second's weights are tiny.
fn first_gradients(backend: &mut dyn Backend, precision: Precision) -> Vec<f64> {
    let layers = || Sequential::new().push(Flatten).named("a", Linear::new(8)).named("b", Linear::new(4));
    let model = Model::new("tiny", [SIZE, SIZE, 1], 4, layers()).expect("fits");
    let options = TrainOptions { precision, output_gradients: true, ..TrainOptions::new(BATCH, sgd()) };
    let step = TrainStep::build(&model, options).expect("recorded");
    let plan = support::start(backend, &step, 7);
    let find = |name: &str| step.graph.states().iter().find(|s| s.name == name).expect("a parameter").clone();
    let mut params = backend.read_arena(PARAMS).expect("parameters").as_f32().expect("floats").to_vec();
    let tiny = find("b.weight");
    let place = &mut params[tiny.offset..tiny.offset + count(&tiny.shape)];
    // Whole multiples of the smallest 16-bit number.
    place.iter_mut().for_each(|w| *w = (*w * 8.0).round() * 2f32.powi(-24));
    let len = params.len();
    backend.write_arena(PARAMS, &Tensor::f32([len], params).expect("as many")).expect("an arena");
    let (images, labels) = support::bright_rows(BATCH, SIZE, 0);
    backend.run(plan, &step.inputs(images, labels, 1, 0, 0.1)).expect("a step");
    let output = step.graph.outputs().iter().position(|(n, _)| n == "gradients").expect("an output");
    let all = backend.read(plan, output).expect("gradients").to_f64();
    let first = find("a.weight");
    all[first.offset..first.offset + count(&first.shape)].to_vec()
}

#[test]
fn gradients_that_vanish_without_a_scale_are_there_with_one() {
    for mut backend in backends() {
        let name = backend.name();
        let want = first_gradients(&mut Reference::new(), Precision::F32);
        assert!(want.iter().any(|g| *g != 0.0));
        let lost = first_gradients(&mut *backend, Precision::F16(LossScale::fixed(1.0)));
        assert!(lost.iter().all(|g| *g == 0.0), "{name}: the case does not underflow");
        let mut fresh = backends().into_iter().find(|b| b.name() == name).expect("the same backend");
        let kept = first_gradients(&mut *fresh, Precision::f16());
        let error = chiaro_check::compare::relative_error(&kept, &want);
        println!("{name}: {error:.1e}");
        // Measured: 3.8e-4 on all three.
        assert!(error < 2e-3, "{name}: {error:e}");
    }
}

#[test]
fn a_step_is_one_submission_and_allocates_nothing() {
    for mut backend in backends() {
        let mut run = Run::new(&mut *backend, Precision::f16(), sgd(), 0.01);
        run.repeat(3);
        let first = run.backend.stats();
        run.repeat(20);
        let last = run.backend.stats();
        assert_eq!(last.submissions - first.submissions, 20, "{}", run.backend.name());
        assert_eq!((last.allocations, last.bytes), (first.allocations, first.bytes), "{}", run.backend.name());
    }
}

#[test]
fn the_arena_of_the_loss_scale_exists_in_16_bits_alone() {
    for (precision, there) in [(Precision::F32, false), (Precision::f16(), true)] {
        let options = TrainOptions { precision, ..TrainOptions::new(BATCH, sgd()) };
        let step = TrainStep::build(&network(), options).expect("recorded");
        assert_eq!(arena_id(&step.graph, LOSS_SCALE).is_some(), there);
    }
    let wrong = LossScale { initial: 0.5, ..LossScale::default() };
    let options = TrainOptions { precision: Precision::F16(wrong), ..TrainOptions::new(BATCH, sgd()) };
    let error = TrainStep::build(&network(), options).expect_err("below the smallest scale").to_string();
    assert!(error.contains("loss scale"), "{error}");
}

#[test]
fn a_fused_comparison_sees_what_is_stored() {
    for mut backend in backends() {
        let mut g = Graph::new();
        let [a, b] =
            [("a", [6, 40]), ("b", [40, 8])].map(|(name, shape)| g.input(name, &shape, DType::F16).expect("new"));
        let known = g.input("known", &[6, 8], DType::F16).expect("new");
        let y = g.matmul(a, b, false, false).expect("fits");
        let hit = g.map(Elementwise::Equal, &[y, known]).expect("one type");
        let hit = g.cast(hit, DType::F32).expect("owned");
        g.output("y", y).expect("new");
        g.output("hit", hit).expect("new");
        let values = |n: usize, step: usize| (0..n).map(|i| (i * step % 97) as f64 / 97.0 - 0.4).collect::<Vec<f64>>();
        let half = |shape: [usize; 2], v: &[f64]| Tensor::from_f64(shape, DType::F16, v).expect("as many");
        let (a, b) = (half([6, 40], &values(240, 31)), half([40, 8], &values(320, 57)));
        let plan = backend.compile(&g).expect("compiles");
        backend.run(plan, &[a.clone(), b.clone(), half([6, 8], &[0.0; 48])]).expect("runs");
        let stored = backend.read(plan, 0).expect("y").to_f64();
        backend.run(plan, &[a, b, half([6, 8], &stored)]).expect("runs");
        assert_eq!(backend.read(plan, 1).expect("hit").to_f64(), [1.0; 48], "{}", backend.name());
    }
}
