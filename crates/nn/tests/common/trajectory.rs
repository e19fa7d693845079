//! Whole training runs of a LeNet and a residual network, against PyTorch's losses, gradients, weights and logits.

use super::optimizers::row;
use super::{optimizer, tensor};
use chiaro_check::compare::relative_error;
use chiaro_check::golden::{Golden, GoldenCase, second_axis_last};
use chiaro_graph::{Backend, Graph, PlanId, Tensor};
use chiaro_nn::models::{LeNet, ResNet};
use chiaro_nn::{
    BUFFERS, EvalStep, METRICS, Metrics, Model, PARAMS, TrainOptions, TrainStep, pack_arena, unpack_arena,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Relative errors of a run.
#[derive(Debug, Default)]
pub struct Errors {
    /// Worst tensor of the gradients at step 0.
    pub gradient: f64,
    /// Worst loss of steps 0 to 9.
    pub early_loss: f64,
    /// Worst loss of all, over max(|loss|, 0.1).
    pub loss: f64,
    /// Worst tensor of the weights after the last step.
    pub weights: f64,
    /// Worst tensor of the running statistics.
    pub statistics: f64,
    /// Logits in evaluation mode.
    pub logits: f64,
}

impl Errors {
    /// Each error over the limit that the golden files' README gives it; `loss` is that of all steps.
    pub fn over_limits(&self, loss: f64) -> [f64; 6] {
        [
            (self.gradient, 1e-4),
            (self.early_loss, 1e-5),
            (self.loss, loss),
            (self.weights, 1e-3),
            (self.statistics, 1e-3),
            (self.logits, 3e-3),
        ]
        .map(|(error, limit)| error / limit)
    }

    /// Panics unless all are within their limits.
    pub fn check(&self, name: &str, loss: f64) {
        assert!(self.over_limits(loss).iter().all(|share| *share <= 1.0), "{name}: {self:?}");
    }
}

/// Trains as a case says and compares everything it holds.
pub fn run(backend: &mut dyn Backend, golden: &Golden, case: &GoldenCase) -> Errors {
    run_changed(backend, golden, case, |_| ())
}

/// The same with options changed from those of the case, to see that the comparison can fail.
pub fn run_changed(
    backend: &mut dyn Backend,
    golden: &Golden,
    case: &GoldenCase,
    change: impl Fn(&mut TrainOptions),
) -> Errors {
    let attrs = case.attrs.json();
    let run = Run::new(golden, case, attrs);
    let (rule, lr) = optimizer(attrs["optimizer"]["type"].as_str().expect("an optimizer"), &attrs["optimizer"]);
    let mut options = TrainOptions { output_gradients: true, ..TrainOptions::new(run.size("batch_size"), rule) };
    change(&mut options);
    let step = TrainStep::build(&run.model, options).expect("the step is recorded");
    let plan = backend.compile(&step.graph).expect("the step compiles");
    for (name, values) in step.initial_arenas(0) {
        let values = if name == PARAMS { run.packed(&step.graph, "init/") } else { values };
        backend.write_arena(&name, &values).expect("arena");
    }
    let mut errors = Errors::default();
    let want = tensor(golden, &format!("{}/losses", case.name)).to_f64();
    let mut losses = vec![];
    let (steps, batches) = (run.size("steps"), run.size("batches"));
    assert_eq!(want.len(), steps);
    for (s, &want) in want.iter().enumerate() {
        let images = second_axis_last(&row(tensor(golden, "data/input"), s % batches));
        let labels = row(tensor(golden, "data/target"), s % batches);
        backend.run(plan, &step.inputs(images, labels, 0, s as u64, lr)).expect("a step");
        let loss = backend.read(plan, 0).expect("the loss").to_f64()[0];
        losses.push(loss);
        let off = (loss - want).abs();
        errors.loss = errors.loss.max(off / want.abs().max(0.1));
        if s < 10 {
            errors.early_loss = errors.early_loss.max(off / want.abs());
        }
        if s == 0 {
            let flat = backend.read(plan, 1).expect("gradients");
            errors.gradient = run.worst(&step.graph, PARAMS, &flat, "grad_step0/");
        }
    }
    let prefix = format!("{}/final.", case.name);
    let params = backend.read_arena(PARAMS).expect("parameters");
    errors.weights = run.worst(&step.graph, PARAMS, &params, &prefix);
    if step.graph.arenas().iter().any(|a| a.name == BUFFERS) {
        let buffers = backend.read_arena(BUFFERS).expect("running statistics");
        errors.statistics = run.worst(&step.graph, BUFFERS, &buffers, &prefix);
    }
    check_metrics(backend, &losses, run.size("batch_size"));
    errors.logits = run.evaluate(backend);
    errors
}

/// The metrics gathered on the device against the losses read after each step.
fn check_metrics(backend: &mut dyn Backend, losses: &[f64], batch: usize) {
    let metrics = Metrics::from_arena(&backend.read_arena(METRICS).expect("metrics"), 2).expect("metrics");
    let want = losses.iter().sum::<f64>() / losses.len() as f64;
    assert!((metrics.loss() / want - 1.0).abs() < 1e-5, "{metrics:?}, mean loss {want}");
    assert_eq!((metrics.samples, metrics.non_finite), ((losses.len() * batch) as f64, 0.0));
}

/// A golden training run: its data, model, and the golden name of each state.
struct Run<'g> {
    golden: &'g Golden,
    case: &'g GoldenCase,
    attrs: &'g Value,
    model: Model,
}

impl<'g> Run<'g> {
    fn new(golden: &'g Golden, case: &'g GoldenCase, attrs: &'g Value) -> Run<'g> {
        let shape = &attrs["model"];
        let list = |key: &str| -> Vec<usize> {
            let list = shape[key].as_array().unwrap_or_else(|| panic!("no list {key}"));
            list.iter().map(|v| v.as_u64().expect("a number") as usize).collect()
        };
        let size = |key: &str| shape[key].as_u64().unwrap_or_else(|| panic!("no number {key}")) as usize;
        let [c, h, w] = list("in_shape")[..] else { panic!("images have three extents") };
        let classes = size("classes");
        let model = match shape["arch"].as_str() {
            Some("lenet") => {
                let [first, second] = list("channels")[..] else { panic!("two convolutions") };
                let net = LeNet {
                    channels: [first, second],
                    kernel: size("kernel"),
                    padding: [size("padding"); 2],
                    hidden: vec![size("hidden")],
                    classes,
                };
                Model::new("lenet", [h, w, c], classes, net)
            }
            Some("resnet") => {
                assert_eq!(list("strides"), [1, 2, 2], "the model's own strides");
                Model::new("resnet", [h, w, c], classes, ResNet::small(&list("widths"), 1, classes))
            }
            other => panic!("unknown architecture {other:?}"),
        };
        Run { golden, case, attrs, model: model.expect("the model fits") }
    }

    fn size(&self, key: &str) -> usize {
        self.attrs["model"][key].as_u64().expect("a number") as usize
    }

    /// The golden tensor of a state, in this engine's layout.
    fn state(&self, prefix: &str, name: &str, shape: &[usize]) -> Tensor {
        let found = tensor(self.golden, &format!("{prefix}{}", self.golden_name(name)));
        let first_linear = name == "fc1.weight";
        let laid_out = if first_linear { self.features_last(found) } else { channels_last(found) };
        assert_eq!(laid_out.shape(), shape, "{name}");
        laid_out
    }

    /// The golden files name stem, blocks and shortcuts of the residual network in their own way.
    fn golden_name(&self, name: &str) -> String {
        if self.model.name != "resnet" {
            return name.into();
        }
        let name = name.replace("downsample.0", "proj").replace("downsample.1", "proj_bn");
        match name.split_once('.') {
            Some(("conv1", rest)) => format!("stem.{rest}"),
            Some(("bn1", rest)) => format!("bn.{rest}"),
            Some((stage, rest)) if stage.starts_with("layer") => {
                let index: usize = stage["layer".len()..].parse().expect("a stage");
                format!("blocks.{}.{}", index - 1, rest.strip_prefix("0.").expect("one block a stage"))
            }
            _ => name,
        }
    }

    /// Columns of the layer after `flatten`, from (c, h, w) to (h, w, c).
    fn features_last(&self, weight: &Tensor) -> Tensor {
        let (out, features) = (weight.shape()[0], weight.shape()[1]);
        let channels = self.attrs["model"]["channels"][1].as_u64().expect("channels") as usize;
        let split = weight.clone().reshape([out, channels, features / channels]).expect("whole planes");
        second_axis_last(&split).reshape([out, features]).expect("as many features")
    }

    fn packed(&self, graph: &Graph, prefix: &str) -> Tensor {
        let own = graph.states().iter().filter(|s| graph.arenas()[s.arena.index()].name == PARAMS);
        let values: BTreeMap<String, Tensor> =
            own.map(|s| (s.name.clone(), self.state(prefix, &s.name, &s.shape))).collect();
        pack_arena(graph, PARAMS, |name| values.get(name)).expect("values fit")
    }

    fn worst(&self, graph: &Graph, arena: &str, flat: &Tensor, prefix: &str) -> f64 {
        let states = unpack_arena(graph, arena, flat).expect("an arena");
        assert!(!states.is_empty());
        let error = |(name, got): &(String, Tensor)| {
            relative_error(&got.to_f64(), &self.state(prefix, name, got.shape()).to_f64())
        };
        states.iter().map(error).fold(0.0, f64::max)
    }

    fn evaluate(&self, backend: &mut dyn Backend) -> f64 {
        let step = EvalStep::build(&self.model, self.size("test_size")).expect("the step is recorded");
        let plan: PlanId = backend.compile(&step.graph).expect("the step compiles");
        let images = second_axis_last(tensor(self.golden, "data/test_input"));
        let labels = tensor(self.golden, "data/test_target").clone();
        backend.run(plan, &[images, labels]).expect("a step");
        let logits = backend.read(plan, 0).expect("logits");
        let want = tensor(self.golden, &format!("{}/test_logits", self.case.name));
        assert_eq!(logits.shape(), want.shape());
        relative_error(&logits.to_f64(), &want.to_f64())
    }
}

fn channels_last(t: &Tensor) -> Tensor {
    if t.shape().len() < 3 { t.clone() } else { second_axis_last(t) }
}
