//! Training steps on the fast executor: as on the reference, the same bits for any number of threads, nothing allocated.

mod support;

use chiaro_cpu::Cpu;
use chiaro_cpu::reference::Reference;
use chiaro_graph::{Backend, DType, Graph, Tensor};
use chiaro_nn::models::ResNet;
use chiaro_nn::{Model, Sgd, TrainOptions, TrainStep};
use support::Generator;

const BATCH: usize = 8;
const IMAGE: [usize; 3] = [12, 12, 3];

fn step() -> TrainStep {
    let net = ResNet::small(&[8, 16], 1, 5);
    let model = Model::new("net", IMAGE, 5, net).expect("a model");
    TrainStep::build(&model, TrainOptions::new(BATCH, Sgd::default())).expect("a step")
}

fn batch(step: &TrainStep, t: u64) -> Vec<Tensor> {
    let mut g = Generator(t);
    let images = Tensor::f32([&[BATCH][..], &IMAGE[..]].concat(), g.floats(BATCH * IMAGE.iter().product::<usize>()));
    let labels = Tensor::i32([BATCH], (0..BATCH).map(|_| g.range(0, 4) as i32).collect());
    step.inputs(images.expect("images"), labels.expect("labels"), 1, t, 0.05)
}

/// Losses of some steps, and the parameters behind them.
fn train(backend: &mut dyn Backend, steps: u64) -> (Vec<f64>, Tensor) {
    let step = step();
    let plan = backend.compile(&step.graph).expect("compiles");
    for (name, values) in step.initial_arenas(3) {
        backend.write_arena(&name, &values).expect("an arena");
    }
    let mut losses = vec![];
    for t in 0..steps {
        backend.run(plan, &batch(&step, t)).expect("runs");
        losses.push(backend.read(plan, 0).expect("a loss").to_f64()[0]);
    }
    (losses, backend.read_arena("params").expect("parameters"))
}

fn cpu(threads: usize) -> Cpu {
    Cpu::new(Some(threads)).expect("threads")
}

#[test]
fn twenty_steps_have_the_losses_of_the_reference() {
    let (want, _) = train(&mut Reference::new(), 20);
    for backend in [&mut cpu(2), &mut Cpu::unfused(Some(1)).expect("threads")] {
        let (got, _) = train(backend, 20);
        for (t, (a, b)) in got.iter().zip(&want).enumerate() {
            assert!((a - b).abs() <= 1e-4 * b.abs(), "step {t} on {}: {a} instead of {b}", backend.name());
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let one = train(&mut cpu(1), 5);
    for threads in [2, 3, 7] {
        assert_eq!(train(&mut cpu(threads), 5), one, "{threads} threads");
    }
}

#[test]
fn steps_allocate_nothing() {
    let mut backend = cpu(2);
    let step = step();
    let plan = backend.compile(&step.graph).expect("compiles");
    let mut after = vec![];
    for t in 0..6 {
        backend.run(plan, &batch(&step, t)).expect("runs");
        after.push((backend.stats().allocations, backend.stats().bytes));
    }
    assert!(after[0].0 > 0 && after.iter().all(|s| *s == after[0]), "{after:?}");
}

#[test]
fn an_arena_of_another_length_or_type_is_refused() {
    let mut backend = cpu(1);
    train(&mut backend, 1);
    let wrong = backend.write_arena("params", &Tensor::zeros([3], DType::F32));
    assert!(matches!(wrong, Err(chiaro_graph::BackendError::Mismatch { .. })), "{wrong:?}");
    let unknown = backend.read_arena("nothing");
    assert!(matches!(unknown, Err(chiaro_graph::BackendError::Unknown(_))), "{unknown:?}");
    let net = ResNet::small(&[8], 1, 5);
    let model = Model::new("net", IMAGE, 5, net).expect("a model");
    let other = TrainStep::build(&model, TrainOptions::new(BATCH, Sgd::default())).expect("a step");
    let refused = backend.compile(&other.graph);
    assert!(matches!(refused, Err(chiaro_graph::BackendError::Taken { by: Some(_), .. })), "{refused:?}");
}

#[test]
fn a_plan_that_was_released_has_no_turn() {
    let mut graph = Graph::new();
    let one = graph.scalar(1.0, DType::F32).expect("a number");
    graph.output("one", one).expect("new");
    let backends: [Box<dyn Backend>; 2] = [Box::new(cpu(1)), Box::new(chiaro_cpu::reference::Reference::new())];
    for mut backend in backends {
        let plan = backend.compile(&graph).expect("compiles");
        let turn = |backend: &mut Box<dyn Backend>| pollster::block_on(backend.turn_async(plan));
        turn(&mut backend).expect("its turn");
        backend.release_plan(plan).expect("there");
        let unknown = turn(&mut backend);
        assert!(matches!(unknown, Err(chiaro_graph::BackendError::Unknown(_))), "{unknown:?}");
    }
}

#[test]
fn zeros_are_written_over_all_but_zeros() {
    let mut backend = cpu(2);
    let step = step();
    backend.compile(&step.graph).expect("compiles");
    let len = step.graph.arenas().iter().find(|arena| arena.name == "params").expect("declared").len;
    let filled = |number: f32| Tensor::f32([len], vec![number; len]).expect("as long");
    // A new arena is zeros; minus zero is another number.
    for number in [0.0, -0.0, 2.0, 0.0] {
        backend.write_arena("params", &filled(number)).expect("written");
        let held = backend.read_arena("params").expect("there");
        assert!(held.as_f32().expect("floats").iter().all(|v| v.to_bits() == number.to_bits()), "{number}");
    }
    let mut part = cpu(2);
    part.compile(&step.graph).expect("compiles");
    part.write_arena_part("params", 1, &Tensor::f32([1], vec![3.0]).expect("one")).expect("written");
    part.write_arena("params", &filled(0.0)).expect("written");
    assert!(part.read_arena("params").expect("there").as_f32().expect("floats").iter().all(|v| *v == 0.0));
}

#[test]
fn a_product_of_few_rows_gives_the_same_bits_before_and_after_its_weights_are_kept() {
    let (rows, terms, columns) = (7, 1500, 40);
    let mut graph = Graph::new();
    let arena = graph.arena("weights", DType::F32).expect("new");
    let weights = graph.state(arena, "w", &[columns, terms]).expect("a state");
    let x = graph.input("x", &[rows, terms], DType::F32).expect("an input");
    let scale = graph.input("scale", &[columns], DType::F32).expect("an input");
    let w = graph.state_value(weights).expect("a value");
    let y = graph.matmul(x, w, false, true).expect("fits");
    let y = graph.mul(y, scale).expect("fits");
    let y = graph.add(y, scale).expect("fits");
    graph.output("y", y).expect("new");
    let mut random = Generator(5);
    let mut floats = |n: usize| random.floats(n);
    let inputs = [Tensor::f32([rows, terms], floats(rows * terms)), Tensor::f32([columns], floats(columns))];
    let inputs = inputs.map(|t| t.expect("as many"));
    let values = floats(columns * terms);
    let mut answers = vec![];
    for backend in [&mut cpu(2) as &mut dyn Backend, &mut cpu(1), &mut Reference::new()] {
        let plan = backend.compile(&graph).expect("compiles");
        let len = graph.arenas()[0].len;
        let mut padded = values.clone();
        padded.resize(len, 0.0);
        backend.write_arena("weights", &Tensor::f32([len], padded).expect("flat")).expect("written");
        // The first run does not know that the weights will stay.
        for _ in 0..3 {
            backend.run(plan, &inputs).expect("runs");
            answers.push(backend.read(plan, 0).expect("an output").as_f32().expect("floats").to_vec());
        }
    }
    assert!(answers[..6].iter().all(|answer| *answer == answers[0]));
    let apart = answers[0].iter().zip(&answers[6]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-4, "{apart}");
}
