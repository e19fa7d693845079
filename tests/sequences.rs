//! Layers over sequences have PyTorch's values and gradients, on every backend (`tests/goldens/make_sequences.py`).

mod support;

use std::collections::HashSet;
use std::path::Path;

use chiaro::cpu::reference::Reference;
use chiaro::graph::Op;
use chiaro::graph::plan::{Plan, PlanOptions};
use chiaro::nn::{
    Cell, Context, Conv2d, ConvTranspose2d, Declare, EncoderBlock, Gives, Init, Linear, Mode, Model, Module, PARAMS,
    Places, Precision, Recurrent, Sgd, TrainOptions, TrainStep, pack_arena,
};
use chiaro::{Backend, DType, Graph, Tensor, Var};
use chiaro_check::golden::{Golden, GoldenCase};

fn golden() -> Golden {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    Golden::load(&folder.join("sequences.safetensors")).expect("the golden file")
}

/// The recurrent layer of a case; `None` where it is none.
fn recurrent(case: &GoldenCase) -> Option<Recurrent> {
    let cell = match case.op.as_str() {
        "rnn" => Cell::Rnn,
        "gru" => Cell::Gru,
        "lstm" => Cell::Lstm,
        _ => return None,
    };
    let number = |key: &str| case.attrs.number(key).expect("a number") as usize;
    let gives = if case.attrs.text("gives").expect("a word") == "last" { Gives::Last } else { Gives::Sequence };
    let both_ways = case.attrs.flag("both_ways").expect("a truth value");
    Some(Recurrent { cell, features: number("features"), layers: number("layers"), both_ways, gives })
}

/// PyTorch's name of a parameter of the layer.
fn torch_name(name: &str) -> String {
    let pairs = [
        ("attn.qkv.", "self_attn.in_proj_"),
        ("attn.proj", "self_attn.out_proj"),
        ("mlp.fc1", "linear1"),
        ("mlp.fc2", "linear2"),
    ];
    let name = name.strip_prefix("layer.").unwrap_or(name);
    pairs.iter().fold(name.to_string(), |name, (ours, torch)| name.replace(ours, torch))
}

/// The largest difference of a case's results from PyTorch's, as a share of the largest of them.
fn worst(backend: &mut dyn Backend, golden: &Golden, case: &GoldenCase) -> f64 {
    let role = |name: &str| golden.role(case, name).expect("a tensor");
    let lengths = golden.tensor(&format!("{}/lengths", case.name));
    let mut graph = Graph::new();
    let x = graph.input("x", role("x").shape(), DType::F32).expect("an input");
    let dy = graph.input("dy", role("dy").shape(), DType::F32).expect("an input");
    let given = lengths.map(|lengths| graph.input("lengths", lengths.shape(), DType::I32).expect("an input"));
    let mut ctx = Context::new(&mut graph, Mode::Train, None);
    let y = match (recurrent(case), given) {
        (Some(layer), Some(lengths)) => ctx.call("layer", &layer.within(lengths), x),
        (Some(layer), None) => ctx.call("layer", &layer, x),
        (None, _) => {
            let number = |key: &str| case.attrs.number(key).expect("a number") as usize;
            let block = EncoderBlock::new(role("x").shape()[2], number("heads"));
            let block = EncoderBlock { hidden: number("hidden"), ..block }.layers();
            let block: &dyn Module = &block;
            ctx.call("layer", block, x)
        }
    };
    let y = y.expect("the layer fits");
    let declared = ctx.finish().expect("recorded");
    graph.output("y", y).expect("an output");
    let states: Vec<_> = declared.parameters.iter().map(|p| p.state).collect();
    let mut wanted = vec![x];
    wanted.extend(states.iter().map(|&state| graph.state_value(state).expect("a state")));
    let mut names = vec!["y".to_string(), "d/x".to_string()];
    names.extend(states.iter().map(|s| format!("d/{}", torch_name(&graph.states()[s.index()].name))));
    for (name, gradient) in names[1..].iter().zip(graph.grad(y, Some(dy), &wanted).expect("gradients")) {
        graph.output(name, gradient).expect("an output");
    }
    let flat = pack_arena(&graph, PARAMS, |name| Some(role(&torch_name(name)))).expect("PyTorch's names and shapes");
    let plan = backend.compile(&graph).expect("compiles");
    backend.write_arena(PARAMS, &flat).expect("the parameters");
    let inputs: Vec<Tensor> = [role("x"), role("dy")].into_iter().chain(lengths).cloned().collect();
    backend.run(plan, &inputs).expect("runs");
    let mut worst = 0.0f64;
    for (place, name) in names.iter().enumerate() {
        let (found, wanted) = (backend.read(plan, place).expect("an output").to_f64(), role(name).to_f64());
        let size = wanted.iter().fold(1e-3f64, |most, v| most.max(v.abs()));
        let far = found.iter().zip(&wanted).map(|(f, w)| (f - w).abs()).fold(0.0, f64::max) / size;
        assert!(found.len() == wanted.len() && far < 1e-5, "{} {name}: {far:.1e}", case.name);
        worst = worst.max(far);
    }
    backend.release_plan(plan).expect("a plan");
    backend.release_arena(PARAMS).expect("an arena");
    worst
}

/// Compares the cases of these names; all of them if none is named.
fn agree(backend: &mut dyn Backend, of: &[&str]) {
    let golden = golden();
    assert_eq!(golden.cases().len(), 10);
    for case in golden.cases().iter().filter(|case| of.is_empty() || of.contains(&case.name.as_str())) {
        println!("{}: {}: {:.1e}", backend.name(), case.name, worst(backend, &golden, case));
    }
}

#[test]
fn recurrent_layers_and_transformers_are_pytorchs_by_the_reference() {
    agree(&mut Reference::new(), &[]);
}

#[test]
fn recurrent_layers_and_transformers_are_pytorchs_on_the_cpu() {
    agree(&mut support::cpu(), &[]);
}

#[test]
fn recurrent_layers_and_transformers_are_pytorchs_on_a_gpu() {
    if let Some(mut gpu) = support::gpu() {
        // Each step is a few kernels of its own, and software compiles them slowly: one of each cell, lengths and directions among them.
        agree(&mut gpu, &["rnn-lengths-both-ways", "gru", "lstm-lengths-last", "transformer"]);
    }
}

#[test]
fn the_gradient_of_a_sequence_is_joined_from_its_steps_and_256_of_them_are_planned() {
    let mut graph = Graph::new();
    let shape = [8, 256, 16];
    let x = graph.input("x", &shape, DType::F32).expect("an input");
    let mut ctx = Context::new(&mut graph, Mode::Train, None);
    let y = ctx.call("layer", &Recurrent::new(Cell::Lstm, 4), x).expect("fits");
    ctx.finish().expect("recorded");
    let y = graph.sum_all(y).expect("a sum");
    let dx = graph.grad(y, None, &[x]).expect("a gradient")[0];
    graph.output("dx", dx).expect("an output");
    let (mut seen, mut todo, mut whole) = (HashSet::new(), vec![dx], vec![]);
    while let Some(v) = todo.pop() {
        let node = graph.node(v);
        if seen.insert(v) {
            todo.extend(&node.inputs);
            // What fills the shape of the sequence: zeros around each step would be 256 of them, and their sums.
            whole.extend((node.shape == shape).then_some(&node.op));
        }
    }
    assert!(matches!(whole[..], [Op::Concat(1), Op::Input(_)]), "{whole:?}");
    let plan = Plan::new(&graph, &PlanOptions::default()).expect("a plan");
    assert!(plan.steps.len() < 16 * 256, "{} calls", plan.steps.len());
}

/// Images that a convolution and a transposed one make sequences of, which know their places and are read both ways.
struct Lines;

const LINE: [usize; 2] = [4, 16];

impl Module for Lines {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> chiaro::graph::Result<Vec<usize>> {
        let y = declare.call("narrow", &Conv2d::new(2, 2).stride(2), x)?;
        let y = declare.call("widen", &ConvTranspose2d::new(2, 2).stride(2), &y)?;
        let y = declare.call("places", &Places { init: Init::Normal { std: 0.5 } }, &[y[0], LINE[0], LINE[1]])?;
        let y = declare.call("read", &Self::reader(), &y)?;
        declare.call("head", &Linear::new(3), &y)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> chiaro::graph::Result<Var> {
        let y = ctx.call("narrow", &Conv2d::new(2, 2).stride(2), x)?;
        let y = ctx.call("widen", &ConvTranspose2d::new(2, 2).stride(2), y)?;
        let n = ctx.shape(y)[0];
        let y = ctx.graph().reshape(y, &[n, LINE[0], LINE[1]])?;
        let y = ctx.call("places", &Places { init: Init::Normal { std: 0.5 } }, y)?;
        let y = ctx.call("read", &Self::reader(), y)?;
        ctx.call("head", &Linear::new(3), y)
    }

    fn kind(&self) -> &'static str {
        "Lines"
    }
}

impl Lines {
    fn reader() -> Recurrent {
        Recurrent { both_ways: true, gives: Gives::Last, ..Recurrent::new(Cell::Lstm, 5) }
    }
}

#[test]
fn layers_of_sequences_train_in_16_bits_to_nearly_the_same_parameters() {
    let [before, wide, half] = [None, Some(Precision::F32), Some(Precision::f16())].map(|precision| {
        let model = Model::new("lines", [4, 8, 1], 3, Lines).expect("fits");
        let options = TrainOptions::new(6, Sgd::default());
        let options = TrainOptions { precision: precision.unwrap_or(Precision::F32), ..options };
        let step = TrainStep::build(&model, options).expect("recorded");
        let mut cpu = support::cpu();
        let plan = cpu.compile(&step.graph).expect("compiles");
        for (arena, values) in step.initial_arenas(1) {
            cpu.write_arena(&arena, &values).expect("written");
        }
        let pixels = (0..6 * 32).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
        let images = Tensor::f32([6, 4, 8, 1], pixels).expect("images");
        let labels = Tensor::i32([6], vec![0, 1, 2, 0, 1, 2]).expect("labels");
        for number in 0..if precision.is_some() { 3 } else { 0 } {
            cpu.run(plan, &step.inputs(images.clone(), labels.clone(), 1, number, 0.2)).expect("a step");
        }
        cpu.read_arena(PARAMS).expect("parameters").to_f64()
    });
    let most = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let (apart, moved) = (most(&wide, &half), most(&wide, &before));
    // Seen: 1.1e-5 apart where 3.4e-2 were moved.
    assert!(apart > 0.0 && apart < 0.002 * moved, "{apart:e} apart, {moved:e} moved");
}
