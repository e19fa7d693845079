//! Optimizers as a program uses them: its own, by name, and several in one step.

use chiaro_cpu::reference::Reference;
use chiaro_graph::{ARENA_ALIGNMENT, Backend, DType, Graph, Tensor, Var};
use chiaro_nn::{
    Adam, Decay, Lion, NamedOptimizer, Optimizer, OptimizerSettings, Optimizers, PARAMS, ParameterGroup, Result, Sgd,
    Slot, Update, named_optimizer, optimizer_names, register_optimizer,
};
use std::sync::Arc;

/// p -= lr (g + the gradient before).
#[derive(Debug)]
struct LastTwo;

impl Optimizer for LastTwo {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot { name: "last", initial: 0.5 }]
    }

    fn update(&self, update: &mut Update<'_>) -> Result<Var> {
        let (last, gradient) = (update.slot("last")?, update.gradient());
        update.store("last", gradient)?;
        let both = update.graph().add(last, gradient)?;
        update.step(both)
    }
}

/// A matrix and two vectors that start as 1, updated with these gradients; their first elements after each step.
fn run(optimizers: &Optimizers, gradients: &[f32], lr: f64) -> Result<Vec<[f64; 3]>> {
    let mut graph = Graph::new();
    let arena = graph.arena(PARAMS, DType::F32)?;
    for (name, shape) in [("body.weight", &[2usize, 2][..]), ("body.bias", &[2]), ("head.bias", &[2])] {
        graph.state(arena, name, shape)?;
    }
    let len = 3 * ARENA_ALIGNMENT;
    let gradient = graph.input("gradient", &[len], DType::F32)?;
    let hyper = graph.input("hyper", &[optimizers.hyper_len()], DType::F32)?;
    optimizers.apply(&mut graph, arena, gradient, hyper, None)?;
    let mut backend = Reference::new();
    let plan = backend.compile(&graph).expect("compiles");
    let filled = |value: f32| Tensor::f32([len], vec![value; len]).expect("a vector");
    backend.write_arena(PARAMS, &filled(1.0)).expect("arena");
    for (slot, initial) in optimizers.slots() {
        backend.write_arena(&slot, &filled(initial as f32)).expect("slot");
    }
    let mut after = vec![];
    for (step, &gradient) in gradients.iter().enumerate() {
        backend.run(plan, &[filled(gradient), optimizers.hyper(lr, step as u64)]).expect("a step");
        let flat = backend.read_arena(PARAMS).expect("parameters").to_f64();
        after.push([0, 1, 2].map(|i| flat[i * ARENA_ALIGNMENT]));
    }
    Ok(after)
}

#[track_caller]
fn close(got: [f64; 3], want: [f64; 3]) {
    assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-6), "{got:?}, expected {want:?}");
}

#[test]
fn an_optimizer_of_ones_own_keeps_its_slot_between_steps() {
    let after = run(&LastTwo.into(), &[0.25, 1.0], 0.1).expect("recorded");
    close(after[0], [1.0 - 0.1 * 0.75; 3]);
    close(after[1], [1.0 - 0.1 * 0.75 - 0.1 * 1.25; 3]);
}

#[test]
fn each_group_moves_by_its_own_rule_rate_and_decay() {
    let sgd = Sgd { momentum: 0.5, nesterov: false, weight_decay: 1.0 };
    let heads = ParameterGroup::new("head", |p| p.name.starts_with("head."), sgd).rate(10.0);
    let optimizers = Optimizers::new(LastTwo).with(heads);
    let slots = [("optimizer.last".to_string(), 0.5), ("optimizer.head.momentum_buffer".to_string(), 0.0)];
    assert_eq!(optimizers.slots(), slots);
    let after = run(&optimizers, &[0.25, 1.0], 0.01).expect("recorded");
    // The head: buffer 0.25 + 1, then 0.5 * 1.25 + 1 + what is left.
    let first = 1.0 - 0.1 * 1.25;
    close(after[0], [0.9925, 0.9925, first]);
    close(after[1], [0.98, 0.98, first - 0.1 * (0.625 + 1.0 + first)]);

    let plain = Optimizers::new(Sgd { weight_decay: 1.0, ..Sgd::default() }).decay(Decay::Weights);
    close(run(&plain, &[0.0], 0.1).expect("recorded")[0], [0.9, 1.0, 1.0]);
    let other = ParameterGroup::new("bias", |p| p.shape.len() == 1, Sgd { weight_decay: 1.0, ..Sgd::default() });
    close(run(&plain.with(other.decay(Decay::Weights)), &[0.0], 0.1).expect("recorded")[0], [0.9, 1.0, 1.0]);
}

#[test]
fn the_first_group_that_takes_a_parameter_has_it() {
    let all = |rate| ParameterGroup::new(&format!("at {rate}"), |p| p.shape.len() == 1, Sgd::default()).rate(rate);
    let two = Optimizers::new(Sgd::default()).with(all(2.0));
    close(run(&two, &[1.0], 0.1).expect("recorded")[0], [0.9, 0.8, 0.8]);
    let error = run(&two.with(all(3.0)), &[1.0], 0.1).expect_err("nothing is left").to_string();
    assert_eq!(error, "the parameter group \"at 3\" takes no parameter of the model");
}

#[test]
fn what_an_optimizer_does_wrong_is_told() {
    #[derive(Debug)]
    struct Forgets;
    impl Optimizer for Forgets {
        fn update(&self, update: &mut Update<'_>) -> Result<Var> {
            let gradient = update.gradient();
            update.store("mean", gradient)?;
            update.step(gradient)
        }
    }
    let error = run(&Forgets.into(), &[1.0], 0.1).expect_err("no slot").to_string();
    assert!(error.contains("\"mean\"") && error.contains("slot()"), "{error}");

    #[derive(Debug)]
    struct Greedy;
    impl Optimizer for Greedy {
        fn update(&self, update: &mut Update<'_>) -> Result<Var> {
            update.hyper(1)
        }
    }
    assert!(run(&Greedy.into(), &[1.0], 0.1).is_err(), "there is one number");
}

#[test]
fn lion_follows_its_formula_in_64_bits() {
    let ([b1, b2], decay, lr) = ([0.9, 0.99], 0.1, 0.01);
    // Among them steps whose direction the average decides against the gradient's sign.
    let gradients = [0.5, -0.25, 2.0, -0.125, -0.0625, 0.03125, -1.0, 0.0, 0.75, -4.0, 0.25, 0.5];
    let (mut p, mut m, mut against) = (1.0f64, 0.0f64, 0);
    let optimizers = Optimizers::new(Lion { betas: [b1, b2], weight_decay: decay }).decay(Decay::Weights);
    let after = run(&optimizers, &gradients, lr).expect("recorded");
    let mut bias = 1.0;
    for (&g, got) in gradients.iter().map(|&g| f64::from(g)).collect::<Vec<_>>().iter().zip(after) {
        let sign = (b1 * m + (1.0 - b1) * g).signum();
        against += usize::from(sign * g < 0.0);
        (p, bias) = (p - lr * (sign + decay * p), bias - lr * sign);
        m = b2 * m + (1.0 - b2) * g;
        close(got, [p, bias, bias]);
    }
    assert!(against > 1, "{against}");
    assert_eq!(named_optimizer("lion").expect("known").usual_lr, 3e-4);
}

#[test]
fn optimizers_are_found_by_name_and_a_program_adds_its_own() {
    assert_eq!(optimizer_names()[..4], ["sgd", "nesterov", "adam", "adamw"]);
    let settings = OptimizerSettings { momentum: 0.5, weight_decay: 0.25 };
    let adam = (named_optimizer("adam").expect("known").make)(settings);
    assert_eq!(format!("{adam:?}"), format!("{:?}", Adam { weight_decay: 0.25, ..Adam::default() }));
    let own = NamedOptimizer {
        name: "last-two",
        usual_lr: 0.1,
        usual_weight_decay: 0.0,
        has_momentum: false,
        make: |_| Arc::new(LastTwo),
    };
    let error = named_optimizer("last-two").expect_err("not yet").to_string();
    assert!(error.starts_with("unknown optimizer \"last-two\"; known are sgd, nesterov"), "{error}");
    register_optimizer(own).expect("a new name");
    assert_eq!(named_optimizer("last-two").expect("known").usual_lr, 0.1);
    assert_eq!(optimizer_names().last(), Some(&"last-two"));
    let error = register_optimizer(own).expect_err("twice").to_string();
    assert!(error.contains("\"last-two\""), "{error}");
}
