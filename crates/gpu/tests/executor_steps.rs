//! Whole training steps on the GPU: as the CPU computes them, one submission each, nothing allocated on the way.

mod support;

use chiaro_gpu::{BackendOptions, GpuBackend, OpenOptions};
use chiaro_graph::{ArenaId, Backend, ConvSpec, DType, Elementwise, Graph, StateId, Target, Tensor, Var};

const BATCH: usize = 4;

struct Model {
    graph: Graph,
    params: ArenaId,
    states: Vec<StateId>,
}

impl Model {
    fn state(&mut self, name: &str, shape: &[usize]) -> Var {
        let id = self.graph.state(self.params, name, shape).expect("a new name");
        self.states.push(id);
        self.graph.state_value(id).unwrap()
    }

    fn block(&mut self, name: &str, x: Var, channels: usize, stride: usize) -> Var {
        let inputs = self.graph.shape(x)[3];
        let w = self.state(&format!("{name}.weight"), &[channels, 3, 3, inputs]);
        let scale = self.state(&format!("{name}.scale"), &[channels]);
        let shift = self.state(&format!("{name}.shift"), &[channels]);
        let spec = ConvSpec { padding: [1; 4], stride: [stride; 2], ..ConvSpec::default() };
        let y = self.graph.conv2d(x, w, &spec).expect("shapes fit");
        let (y, _) = self.graph.batch_norm(y, scale, shift, 1e-5).expect("shapes fit");
        self.graph.relu(y).expect("a float")
    }
}

/// Convolutions with batch norm, a residual and dropout, cross-entropy, and SGD with momentum over the arena.
fn training_step() -> Graph {
    let mut graph = Graph::new();
    let params = graph.arena("params", DType::F32).expect("new");
    let x = graph.input("images", &[BATCH, 8, 8, 3], DType::F32).expect("new");
    let labels = graph.input("labels", &[BATCH], DType::I32).expect("new");
    let key = graph.input("key", &[3], DType::U32).expect("new");
    let mut model = Model { graph, params, states: vec![] };
    let y = model.block("a", x, 8, 1);
    let z = model.block("b", y, 8, 1);
    let y = model.graph.add(y, z).expect("shapes fit");
    let y = model.block("c", y, 12, 2);
    let y = model.graph.global_avg_pool2d(y).expect("an image");
    let y = model.graph.dropout(y, 0.25, key).expect("a float");
    let w = model.state("fc.weight", &[10, 12]);
    let b = model.state("fc.bias", &[10]);
    let Model { graph: mut g, states, .. } = model;
    let logits = g.linear(y, w, Some(b)).expect("shapes fit");
    let loss = g.cross_entropy(logits, labels, &Default::default()).expect("shapes fit");
    let values: Vec<Var> = states.iter().map(|&s| g.state_value(s).unwrap()).collect();
    let gradients = g.grad(loss, None, &values).expect("differentiable");
    let pairs: Vec<_> = states.into_iter().zip(gradients).collect();
    let packed = g.pack(params, &pairs).expect("all states");
    let momentum = g.arena_like(params, "momentum").expect("new");
    let (p, m) = (g.arena_values(params).expect("states"), g.arena_values(momentum).expect("states"));
    let m = g.map_scalars(Elementwise::Mul, m, &[0.9]).expect("a float");
    let m = g.add(m, packed).expect("shapes fit");
    let step = g.map_scalars(Elementwise::Mul, m, &[0.02]).expect("a float");
    let p = g.sub(p, step).expect("shapes fit");
    g.assign(Target::Arena(params), p).expect("fits");
    g.assign(Target::Arena(momentum), m).expect("fits");
    g.output("loss", loss).expect("new");
    g
}

fn draw(seed: u32, shape: &[usize], scale: f32) -> Tensor {
    let count: usize = shape.iter().product();
    let number = |i: usize| {
        let words = chiaro_graph::random_words([seed, 0, 0], 7, i as u32);
        scale * chiaro_graph::normal_pair([words[0], words[1]])[0] as f32
    };
    Tensor::f32(shape, (0..count).map(number).collect()).expect("as many as the shape has")
}

fn start(g: &Graph, backend: &mut dyn Backend) {
    let arena = &g.arenas()[0];
    let mut values = vec![0.0f32; arena.len];
    for (i, &id) in arena.states.iter().enumerate() {
        let info = &g.states()[id.index()];
        let fan_in: usize = info.shape[1..].iter().product();
        let drawn = draw(100 + i as u32, &info.shape, (2.0 / fan_in as f32).sqrt());
        let one = info.name.ends_with("scale");
        for (v, d) in values[info.offset..].iter_mut().zip(drawn.as_f32().expect("f32")) {
            *v = if one { 1.0 } else { *d };
        }
    }
    let values = Tensor::f32([arena.len], values).expect("the arena's length");
    backend.write_arena("params", &values).expect("written");
}

fn inputs(step: u32) -> Vec<Tensor> {
    let labels = (0..BATCH as u32).map(|i| ((step * 3 + i * 7) % 10) as i32).collect();
    let key = chiaro_graph::Data::U32(vec![11, 22, step]);
    vec![
        draw(step % 5, &[BATCH, 8, 8, 3], 1.0),
        Tensor::i32([BATCH], labels).expect("a label an image"),
        Tensor::new([3], key).expect("three words"),
    ]
}

/// Losses of a training run, every one read.
fn losses(backend: &mut dyn Backend, steps: u32) -> Vec<f64> {
    let g = training_step();
    let plan = backend.compile(&g).expect("compiles");
    start(&g, backend);
    let run = |step| {
        backend.run(plan, &inputs(step)).expect("runs");
        backend.read(plan, 0).expect("a loss").to_f64()[0]
    };
    (0..steps).map(run).collect()
}

fn open() -> Option<GpuBackend> {
    support::open(OpenOptions::default()).map(|gpu| GpuBackend::new(gpu, BackendOptions::default()))
}

#[test]
fn fifty_training_steps_equal_the_reference_and_the_cpu() {
    let Some(mut gpu) = open() else {
        return;
    };
    let got = losses(&mut gpu, 50);
    let reference = losses(&mut chiaro_cpu::reference::Reference::new(), 50);
    let cpu = losses(&mut chiaro_cpu::Cpu::new(None).expect("threads"), 50);
    assert!(reference[49] < 0.9 * reference[0], "it learns: {reference:?}");
    for (name, want) in [("reference", &reference), ("CPU", &cpu)] {
        for (step, (a, b)) in got.iter().zip(want).enumerate() {
            assert!((a - b).abs() <= 1e-4 * b.abs(), "step {step}: {a}, {name} has {b}");
        }
    }
}

#[test]
fn what_a_graph_takes_is_known_before_it_is_compiled() {
    let Some(mut gpu) = open() else {
        return;
    };
    let g = training_step();
    let planned = gpu.planned_bytes(&g).expect("plans");
    let before = gpu.gpu().counters().bytes;
    gpu.compile(&g).expect("compiles");
    let taken = gpu.gpu().counters().bytes - before;
    // Staging memory for a few inputs and outputs comes on top.
    assert!(planned > 50_000 && (planned..planned + (16 << 10)).contains(&taken), "planned {planned}, taken {taken}");
}

#[test]
fn a_step_is_one_submission_and_allocates_nothing() {
    let Some(mut gpu) = open() else {
        return;
    };
    let g = training_step();
    let plan = gpu.compile(&g).expect("compiles");
    start(&g, &mut gpu);
    for step in 0..3 {
        gpu.run(plan, &inputs(step)).expect("runs");
        gpu.read_arena("params").expect("read");
    }
    let (before, made) = (gpu.stats(), gpu.gpu().counters());
    for step in 3..40 {
        gpu.run(plan, &inputs(step)).expect("runs");
        if step % 10 == 0 {
            gpu.read(plan, 0).expect("a loss");
        }
    }
    let after = gpu.stats();
    assert_eq!(after.submissions - before.submissions, 37, "the losses came back with their steps");
    assert_eq!(after.dispatches - before.dispatches, 37 * gpu.dispatches(plan) as u64);
    gpu.read_arena("params").expect("read");
    let after = gpu.stats();
    assert_eq!((after.allocations, after.bytes), (before.allocations, before.bytes));
    let now = gpu.gpu().counters();
    assert_eq!((now.bind_groups, now.pipelines), (made.bind_groups, made.pipelines));
}
