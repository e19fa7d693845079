//! Layers and small models in training, forward and backward: on both backends as the float64 reference has them, and their gradients
//! as its differences.

mod support;

use chiaro::cpu::reference::Reference;
use chiaro::graph::philox4x32;
use chiaro::nn::models::{LeNet, ResNet, SmallCnn, Vgg};
use chiaro::nn::{
    Activation, AdaptiveAvgPool2d, Attention, AvgPool2d, BUFFERS, BatchNorm2d, Bottleneck, Cell, ChannelPart,
    ChannelShuffle, Concat, Context, Conv2d, ConvTranspose2d, Declarations, DropPath, FirstToken, Flatten,
    GlobalAvgPool, GlobalMaxPool, Init, LayerNorm, LayerScale, Linear, Map, MaxPool2d, Mode, Module, PARAMS, Places,
    Recurrent, Residual, Sequential, SqueezeExcite, Sum, Tokens, initial_arena,
};
use chiaro::{Backend, DType, Graph, Tensor};

/// Every layer that computes something, and each model small.
fn layers() -> Vec<(&'static str, Box<dyn Module>, Vec<usize>)> {
    let image = vec![2, 6, 6, 4];
    let branch = || Sequential::new().named("conv", Conv2d::new(4, 3).padding(1)).then(Activation::Tanh);
    let inner = branch();
    vec![
        ("Conv2d", Box::new(Conv2d::new(6, 3).padding(1).stride(2).groups(2)), image.clone()),
        ("ConvTranspose2d", Box::new(ConvTranspose2d::new(3, 4).stride(2).padding(1)), image.clone()),
        ("Linear", Box::new(Linear::new(5)), vec![3, 7]),
        ("BatchNorm2d", Box::new(BatchNorm2d::new()), image.clone()),
        ("MaxPool2d", Box::new(MaxPool2d::new(2)), image.clone()),
        ("AvgPool2d", Box::new(AvgPool2d::new(3)), image.clone()),
        ("GlobalAvgPool", Box::new(GlobalAvgPool), image.clone()),
        ("AdaptiveAvgPool2d", Box::new(AdaptiveAvgPool2d([4, 7])), image.clone()),
        ("Flatten", Box::new(Flatten), image.clone()),
        ("Map", Box::new(Map(Activation::LeakyRelu, vec![0.2])), image.clone()),
        ("Softplus", Box::new(Activation::Softplus), image.clone()),
        ("SqueezeExcite", Box::new(SqueezeExcite::new(3)), image.clone()),
        ("Residual", Box::new(Residual(inner)), image.clone()),
        ("Sum", Box::new(Sum(vec![branch(), Sequential::new()])), image.clone()),
        ("Concat", Box::new(Concat(vec![branch(), Sequential::new()])), image.clone()),
        ("ChannelPart", Box::new(ChannelPart { part: 1, of: 2 }), image.clone()),
        ("ChannelShuffle", Box::new(ChannelShuffle(2)), vec![2, 3, 3, 6]),
        ("DropPath", Box::new(DropPath { p: 0.5, depth: 1.0 }), vec![16, 2, 2, 3]),
        ("GlobalMaxPool", Box::new(GlobalMaxPool), image.clone()),
        ("LayerNorm", Box::new(LayerNorm { eps: 1e-6 }), image.clone()),
        ("LayerScale", Box::new(LayerScale { initial: 0.25 }), image.clone()),
        ("Bottleneck", Box::new(Bottleneck { width: 2, stride: 2, drop: DropPath { p: 0.0, depth: 1.0 } }), image),
        ("Tokens", Box::new(Tokens), vec![2, 3, 2, 4]),
        ("FirstToken", Box::new(FirstToken), vec![2, 5, 4]),
        ("Attention", Box::new(Attention { heads: 2, dense: Linear::new(0) }), vec![2, 5, 6]),
        ("Rnn", Box::new(Recurrent::new(Cell::Rnn, 3).sequence()), vec![2, 9, 4]),
        ("Gru", Box::new(Recurrent::new(Cell::Gru, 3).both_ways()), vec![2, 9, 4]),
        ("Lstm", Box::new(Recurrent::new(Cell::Lstm, 3).both_ways().layers(2).sequence()), vec![2, 9, 4]),
        ("Places", Box::new(Places { init: Init::Normal { std: 0.5 } }), vec![2, 5, 6]),
        ("LeNet", Box::new(LeNet::for_image(3, [16, 16, 1])), vec![2, 16, 16, 1]),
        ("SmallCnn", Box::new(SmallCnn { channels: [4, 6, 8], classes: 3 }), vec![4, 8, 8, 2]),
        ("ResNet", Box::new(ResNet::small(&[4, 8], 1, 3)), vec![4, 8, 8, 2]),
        (
            "Vgg",
            Box::new(Vgg { stages: vec![vec![4], vec![6, 6]], hidden: 8, pool_after_first: true, classes: 3 }),
            vec![4, 8, 8, 2],
        ),
    ]
}

/// Numbers in -1..1, others for each seed, of 12 bits so that a small step from them is exact.
fn noise(n: usize, seed: u32) -> Vec<f32> {
    let number = |i: usize| philox4x32([i as u32, seed, 0, 7], [1, 2])[0] >> 20;
    (0..n).map(|i| number(i) as f32 / 2048.0 - 1.0).collect()
}

/// A direction of steps of 1.
fn signs(n: usize, seed: u32) -> Vec<f32> {
    noise(n, seed).into_iter().map(f32::signum).collect()
}

/// A layer recorded for training: inputs `x`, `dy` and the random key; outputs `y` and the gradients of x and of each parameter.
fn record(module: &dyn Module, shape: &[usize]) -> chiaro::graph::Result<(Graph, Declarations)> {
    let mut graph = Graph::new();
    let x = graph.input("x", shape, DType::F32)?;
    let key = graph.input("key", &[3], DType::U32)?;
    let mut ctx = Context::new(&mut graph, Mode::Train, Some(key));
    let y = ctx.call("layer", module, x)?;
    let declared = ctx.finish()?;
    let result = graph.shape(y).to_vec();
    let dy = graph.input("dy", &result, DType::F32)?;
    let mut wanted = vec![x];
    for parameter in &declared.parameters {
        wanted.push(graph.state_value(parameter.state)?);
    }
    graph.output("y", y)?;
    for (i, gradient) in graph.grad(y, Some(dy), &wanted)?.into_iter().enumerate() {
        graph.output(&format!("gradient {i}"), gradient)?;
    }
    Ok((graph, declared))
}

/// A recorded layer with the values it runs on.
struct Case {
    graph: Graph,
    x: Tensor,
    dy: Tensor,
    params: Option<Tensor>,
    buffers: Option<Tensor>,
}

impl Case {
    fn new(module: &dyn Module, shape: &[usize]) -> Case {
        let (graph, declared) = record(module, shape).expect("the layer fits");
        let short = |t: Tensor| t.as_f32().map(|v| v.iter().map(|v| (v * 2048.0).round() / 2048.0).collect());
        let arena = |states: &[_]| {
            let values: Vec<f32> = short(initial_arena(&graph, states, 5)).filter(|_| !states.is_empty())?;
            Tensor::f32([values.len()], values)
        };
        let (params, buffers) = (arena(&declared.parameters), arena(&declared.buffers));
        let filled = |shape: &[usize], seed| Tensor::f32(shape, noise(shape.iter().product(), seed)).expect("a tensor");
        let dy = filled(&graph.inputs()[2].shape, 2);
        Case { x: filled(shape, 1), dy, params, buffers, graph }
    }

    /// The outputs with these inputs and parameters.
    fn run(&self, backend: &mut dyn Backend, x: &Tensor, params: &Option<Tensor>) -> Vec<Vec<f64>> {
        let plan = backend.compile(&self.graph).expect("compiles");
        for (name, values) in [(PARAMS, params), (BUFFERS, &self.buffers)] {
            if let Some(values) = values {
                backend.write_arena(name, values).expect("an arena");
            }
        }
        let key = Tensor::zeros([3], DType::U32);
        backend.run(plan, &[x.clone(), key, self.dy.clone()]).expect("runs");
        (0..self.graph.outputs().len()).map(|i| backend.read(plan, i).expect("an output").to_f64()).collect()
    }

    /// The sum of y times dy.
    fn loss(&self, x: &Tensor, params: &Option<Tensor>) -> f64 {
        let y = self.run(&mut Reference::new(), x, params).remove(0);
        y.iter().zip(self.dy.to_f64()).map(|(y, d)| y * d).sum()
    }

    /// The slope along a direction by differences, and by the gradients.
    fn slopes(&self) -> (f64, f64) {
        let step = 1.0 / 32768.0;
        let moved = |t: &Tensor, by: f32, seed| {
            let values = t.as_f32().expect("f32").iter().zip(signs(t.to_f64().len(), seed)).map(|(v, n)| v + by * n);
            Tensor::f32(t.shape(), values.collect()).expect("as many")
        };
        let at = |by: f32| self.loss(&moved(&self.x, by, 11), &self.params.as_ref().map(|p| moved(p, by, 12)));
        let differences = (at(step) - at(-step)) / (2.0 * f64::from(step));
        let gradients = self.run(&mut Reference::new(), &self.x, &self.params).split_off(1);
        let along = |gradient: &[f64], noise: &[f32]| -> f64 {
            gradient.iter().zip(noise).map(|(g, n)| g * f64::from(*n)).sum()
        };
        let mut slope = along(&gradients[0], &signs(self.x.to_f64().len(), 11));
        let len = self.params.as_ref().map_or(0, |p| p.to_f64().len());
        let own = self.graph.states().iter().filter(|s| self.graph.arenas()[s.arena.index()].name == PARAMS);
        for (gradient, state) in gradients[1..].iter().zip(own) {
            slope += along(gradient, &signs(len, 12)[state.offset..]);
        }
        (differences, slope)
    }
}

fn error(got: &[f64], want: &[f64]) -> f64 {
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
    norm(&mut got.iter().zip(want).map(|(g, w)| g - w)) / norm(&mut want.iter().copied()).max(1e-3)
}

fn agree(of: &[&str], new: impl Fn() -> Option<Box<dyn Backend>>) {
    for (name, module, shape) in layers().into_iter().filter(|(name, ..)| of.is_empty() || of.contains(name)) {
        let Some(mut backend) = new() else { return };
        let case = Case::new(&module, &shape);
        let want = case.run(&mut Reference::new(), &case.x, &case.params);
        let got = case.run(&mut *backend, &case.x, &case.params);
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!(error(got, want) < 2e-5, "{name}, {}: {:e}", case.graph.outputs()[i].0, error(got, want));
        }
    }
}

#[test]
fn layers_on_the_cpu_are_those_of_the_reference() {
    agree(&[], || Some(Box::new(support::cpu())));
}

#[test]
fn blocks_and_models_on_the_gpu_are_those_of_the_reference() {
    // The ops of plain layers have cases of their own there, and each opening of the adapter takes a second.
    agree(
        &["Residual", "SqueezeExcite", "ResNet", "Vgg", "Attention", "Tokens", "Concat", "DropPath", "Gru", "Lstm"],
        || support::gpu().map(|gpu| Box::new(gpu) as Box<dyn Backend>),
    );
}

#[test]
fn gradients_of_layers_are_the_slopes_of_their_forward_passes() {
    for (name, module, shape) in layers() {
        let (differences, slope) = Case::new(&module, &shape).slopes();
        assert!((differences - slope).abs() < 2e-3 * slope.abs().max(0.5), "{name}: {differences} and {slope}");
    }
}

#[test]
fn squeeze_and_excitation_is_its_formula() {
    let case = Case::new(&SqueezeExcite::new(2), &[1, 2, 2, 3]);
    let flat = case.params.as_ref().expect("parameters").to_f64();
    let state = |name: &str| &flat[case.graph.states()[at(&case.graph, name)].offset..];
    let x = case.x.to_f64();
    let mean = [0, 1, 2].map(|c| (0..4).map(|p| x[3 * p + c] / 4.0).sum::<f64>());
    let dense = |weight: &str, bias: &str, x: &[f64], o: usize| {
        state(bias)[o] + x.iter().zip(&state(weight)[o * x.len()..]).map(|(x, w)| x * w).sum::<f64>()
    };
    let reduced = [0, 1].map(|o| dense("layer.fc1.weight", "layer.fc1.bias", &mean, o).max(0.0));
    let gate = [0, 1, 2].map(|o| 1.0 / (1.0 + (-dense("layer.fc2.weight", "layer.fc2.bias", &reduced, o)).exp()));
    let want: Vec<f64> = x.iter().enumerate().map(|(i, x)| x * gate[i % 3]).collect();
    let got = case.run(&mut Reference::new(), &case.x, &case.params).remove(0);
    assert!(error(&got, &want) < 1e-6 && reduced.iter().any(|r| *r > 0.0), "{got:?}, expected {want:?}");
}

fn at(graph: &Graph, name: &str) -> usize {
    graph.states().iter().position(|s| s.name == name).expect("a state")
}
