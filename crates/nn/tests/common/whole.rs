//! Whole models with the numbers of a formula, against PyTorch's: `tests/goldens/make_models.py` has the formula and the runs.

use super::tensor;
use chiaro_check::compare::relative_error;
use chiaro_check::golden::{Golden, GoldenCase};
use chiaro_graph::{Backend, Graph, Tensor};
use chiaro_nn::models::{alexnet_of, by_name, wide_resnet};
use chiaro_nn::{
    BUFFERS, DeclaredState, EvalStep, FeatureStep, GradCamStep, ImageInput, MapOf, Model, PARAMS, Sgd, StateKind,
    TrainOptions, TrainStep, pack_arena, unpack_arena,
};
use std::collections::BTreeMap;

/// Classes of every golden model.
const CLASSES: usize = 10;
/// Products with signs that the file has of a tensor, beside its norm.
const PROJECTIONS: usize = 2;

/// Relative errors of a run.
#[derive(Debug, Default)]
pub struct Errors {
    /// Logits in evaluation, before training.
    pub logits: f64,
    /// The loss of the first step.
    pub first_loss: f64,
    /// Worst tensor of the gradients of the first step.
    pub gradients: f64,
    /// Losses of all steps.
    pub losses: f64,
    /// Worst tensor of what training changed of the parameters.
    pub changes: f64,
    /// Worst tensor of the running statistics after it.
    pub statistics: f64,
    /// Logits in evaluation, after training.
    pub logits_after: f64,
}

/// The numbers in [-1, 1) that a name stands for: splitmix64 of its hash (FNV-1a) and the index.
fn uniform(name: &str, n: usize) -> impl Iterator<Item = f64> + use<> {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    (1..=n as u64).map(move |i| {
        let z = hash.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 23) - 1.0
    })
}

/// A state's numbers, in this engine's order.
fn filled(model: &Model, state: &DeclaredState) -> Tensor {
    let (shape, order) = (&state.shape, model.torch_order(state));
    let last = state.name.rsplit('.').next().unwrap_or_default();
    // Of a convolution and a dense layer all extents but the first make one output.
    let fan_in = shape[1..].iter().product::<usize>() as f64;
    let number = |u: f64| match (last, shape.len()) {
        ("running_var", _) | ("weight", 1) => 1.0 + 0.25 * u,
        ("layer_scale", _) => 0.5 + 0.25 * u,
        (_, 1 | 3) => 0.125 * u,
        _ => u * (3.0 / fan_in).sqrt(),
    };
    let torch: Vec<f32> = uniform(&state.name, order.len()).map(|u| number(u) as f32).collect();
    Tensor::f32(shape.clone(), order.iter().map(|&i| torch[i]).collect()).expect("as many numbers")
}

/// A golden model's run on a backend.
pub struct Run<'g> {
    golden: &'g Golden,
    case: &'g GoldenCase,
    model: Model,
    batch: usize,
    /// Factor of the golden learning rate.
    rate: f64,
}

impl<'g> Run<'g> {
    /// The model of a case.
    pub fn new(golden: &'g Golden, case: &'g GoldenCase) -> Run<'g> {
        let size = |key: &str| case.attrs.json()[key].as_u64().expect("a number") as usize;
        let image = [size("side"), size("side"), size("channels")];
        let model = match case.name.as_str() {
            "wide-resnet10-2" => Model::new(&case.name, image, CLASSES, wide_resnet(1, 2, CLASSES)),
            "alexnet-narrow" => Model::new(&case.name, image, CLASSES, alexnet_of(CLASSES, image, 64)),
            name => by_name(name, CLASSES, image),
        };
        Run { golden, case, model: model.expect("the model fits"), batch: size("batch"), rate: 1.0 }
    }

    /// The same at so many times the golden rate, to see that the comparison can fail.
    pub fn at_rate(self, rate: f64) -> Run<'g> {
        Run { rate, ..self }
    }

    fn want(&self, what: &str) -> Vec<f64> {
        tensor(self.golden, &format!("{}/{what}", self.case.name)).to_f64()
    }

    fn images(&self) -> Tensor {
        let [h, w, c] = self.model.image;
        let shape = [self.batch, h, w, c];
        let as_state = DeclaredState {
            name: format!("{}/images", self.model.name),
            shape: shape.to_vec(),
            init: chiaro_nn::Init::ZEROS,
            kind: StateKind::Statistic,
        };
        let order = self.model.torch_order(&as_state);
        let torch: Vec<f32> = uniform(&as_state.name, order.len()).map(|u| u as f32).collect();
        Tensor::f32(shape, order.iter().map(|&i| torch[i]).collect()).expect("as many pixels")
    }

    fn labels(&self) -> Tensor {
        Tensor::i32([self.batch], (0..self.batch).map(|i| (i % CLASSES) as i32).collect()).expect("a label each")
    }

    fn write_states(&self, backend: &mut dyn Backend, graph: &Graph) {
        for arena in [PARAMS, BUFFERS] {
            if graph.find_arena(arena).is_some() {
                backend.write_arena(arena, &self.packed(graph, arena)).expect("an arena");
            }
        }
    }

    /// The formula's numbers of all states of an arena.
    fn packed(&self, graph: &Graph, arena: &str) -> Tensor {
        let states = self.model.declared().states.iter();
        let values: BTreeMap<&str, Tensor> = states.map(|s| (s.name.as_str(), filled(&self.model, s))).collect();
        pack_arena(graph, arena, |name| values.get(name)).expect("values fit")
    }

    /// The worst of an arena's tensors beside the golden norms and projections, which are in order of the names.
    fn worst(&self, graph: &Graph, arena: &str, flat: &Tensor, what: &str) -> f64 {
        let mut values = unpack_arena(graph, arena, flat).expect("an arena");
        values.retain(|(name, _)| arena == PARAMS || name.contains("running_"));
        values.sort_by(|a, b| a.0.cmp(&b.0));
        let want = self.want(what);
        assert_eq!(want.len(), values.len() * (1 + PROJECTIONS), "{}: {what}", self.case.name);
        let largest = want.chunks(1 + PROJECTIONS).map(|w| w[0]).fold(0.0, f64::max);
        let error = |((name, value), want): (&(String, Tensor), &[f64])| {
            let got = self.projected(name, value);
            let off = got.iter().zip(want).map(|(g, w)| (g - w).abs()).fold(0.0, f64::max);
            // What is nothing beside the others is rounding.
            off / want[0].max(1e-3 * largest)
        };
        values.iter().zip(want.chunks(1 + PROJECTIONS)).map(error).fold(0.0, f64::max)
    }

    /// The norm of a tensor, and its products with the signs of its name.
    fn projected(&self, name: &str, value: &Tensor) -> Vec<f64> {
        let state = self.model.declared().states.iter().find(|s| s.name == name).expect("a state of the model");
        let (order, own) = (self.model.torch_order(state), value.to_f64());
        let mut torch = vec![0.0; own.len()];
        order.iter().zip(&own).for_each(|(&place, &v)| torch[place] = v);
        let mut all = vec![own.iter().map(|v| v * v).sum::<f64>().sqrt()];
        for i in 0..PROJECTIONS {
            let signs = uniform(&format!("{name}/{i}"), torch.len()).map(|u| if u < 0.0 { -1.0 } else { 1.0 });
            all.push(signs.zip(&torch).map(|(s, v)| s * v).sum());
        }
        all
    }

    fn evaluate(&self, backend: &mut dyn Backend, what: &str) -> f64 {
        let step = EvalStep::build(&self.model, self.batch).expect("the step is recorded");
        let plan = backend.compile(&step.graph).expect("the step compiles");
        if what == "logits" {
            self.write_states(backend, &step.graph);
        }
        backend.run(plan, &[self.images(), self.labels()]).expect("a step");
        relative_error(&backend.read(plan, 0).expect("logits").to_f64(), &self.want(what))
    }

    /// Relative errors of the features before the last layer, and of the maps of the classes 0, 3, 6, ...
    pub fn inner(&self, backend: &mut dyn Backend) -> [f64; 2] {
        let step = FeatureStep::build(&self.model, self.batch, &ImageInput::Normalized, None).expect("recorded");
        let plan = backend.compile(&step.graph).expect("the step compiles");
        self.write_states(backend, &step.graph);
        backend.run(plan, &[self.images()]).expect("a step");
        let features = backend.read(plan, 0).expect("features");
        assert_eq!(features.shape(), [self.batch, step.features]);
        let step = GradCamStep::build(&self.model, self.batch, &ImageInput::Normalized, MapOf::Last).expect("recorded");
        let plan = backend.compile(&step.graph).expect("the step compiles");
        self.write_states(backend, &step.graph);
        let classes = (0..self.batch).map(|i| (i * 3 % CLASSES) as i32).collect();
        backend.run(plan, &[self.images(), Tensor::i32([self.batch], classes).expect("one each")]).expect("a step");
        let map = backend.read(plan, 1).expect("a map");
        assert_eq!(map.shape(), [self.batch, step.size[0], step.size[1]]);
        [("features", features), ("map", map)].map(|(what, got)| relative_error(&got.to_f64(), &self.want(what)))
    }

    /// Trains so many of the golden steps; what hangs on all of them is compared if these are all.
    pub fn errors(&self, backend: &mut dyn Backend, steps: usize) -> Errors {
        let mut errors = Errors { logits: self.evaluate(backend, "logits"), ..Errors::default() };
        let sgd = Sgd { momentum: 0.9, ..Sgd::default() };
        let (dropout, drop_path) = (Some(0.0), Some(0.0));
        let options = TrainOptions { output_gradients: true, dropout, drop_path, ..TrainOptions::new(self.batch, sgd) };
        let step = TrainStep::build(&self.model, options).expect("the step is recorded");
        let plan = backend.compile(&step.graph).expect("the step compiles");
        for (name, values) in step.initial_arenas(0).into_iter().filter(|(name, _)| name != PARAMS && name != BUFFERS) {
            backend.write_arena(&name, &values).expect("an arena");
        }
        self.write_states(backend, &step.graph);
        let lr = self.case.attrs.json()["lr"].as_f64().expect("a rate") * self.rate;
        let want = self.want("losses");
        for (s, want) in want.iter().enumerate().take(steps) {
            backend.run(plan, &step.inputs(self.images(), self.labels(), 0, s as u64, lr)).expect("a step");
            let loss = backend.read(plan, 0).expect("the loss").to_f64()[0];
            let off = (loss - want).abs() / want.max(0.1);
            errors.losses = errors.losses.max(off);
            if s == 0 {
                errors.first_loss = off;
                let flat = backend.read(plan, 1).expect("gradients");
                errors.gradients = self.worst(&step.graph, PARAMS, &flat, "gradients");
            }
        }
        if steps == want.len() {
            let arena = |backend: &mut dyn Backend, name| backend.read_arena(name).expect("an arena");
            let after = arena(backend, PARAMS);
            let before = self.packed(&step.graph, PARAMS);
            let moved = after.to_f64().iter().zip(before.to_f64()).map(|(a, b)| (a - b) as f32).collect();
            let moved = Tensor::f32(after.shape(), moved).expect("as many");
            errors.changes = self.worst(&step.graph, PARAMS, &moved, "changes");
            if step.graph.find_arena(BUFFERS).is_some() {
                errors.statistics = self.worst(&step.graph, BUFFERS, &arena(backend, BUFFERS), "statistics");
            }
            errors.logits_after = self.evaluate(backend, "logits_after");
        }
        errors
    }
}
