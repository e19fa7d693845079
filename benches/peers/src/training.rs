//! Training steps of the three networks.

use crate::numbers;
use crate::report::Report;
use anyhow::{Context, Result};
use chiaro::graph::PlanId;
use chiaro::graph::shape::count;
use chiaro::nn::models::by_name;
use chiaro::nn::{Adam, Model, Optimizers, PARAMS, Precision, Sgd, TrainOptions, TrainStep};
use chiaro::{Backend, Tensor};

/// Batches that are trained on in turn.
const BATCHES: usize = 8;

/// A network with its data and its optimizer.
pub struct Network {
    /// Name of the model.
    model: &'static str,
    /// Channels, height and width of an image.
    image: [usize; 3],
    /// Channels, height and width of what the first dense layer flattens; all are 0 where it sees a plain vector.
    flattened: [usize; 3],
    /// Images in a step.
    pub batch: usize,
    /// Adam, or SGD with momentum.
    adam: bool,
}

/// w1.
pub const SMALL: Network =
    Network { model: "mnist-cnn", image: [1, 28, 28], flattened: [64, 12, 12], batch: 64, adam: true };
/// w2.
pub const TUTORIAL: Network =
    Network { model: "tutorial-cnn", image: [3, 64, 64], flattened: [64, 14, 14], batch: 32, adam: true };
/// w3.
pub const RESNET: Network =
    Network { model: "resnet18", image: [3, 32, 32], flattened: [0; 3], batch: 32, adam: false };

impl Network {
    fn optimizer(&self) -> (Optimizers, f64) {
        if self.adam {
            return (Adam { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0 }.into(), 1e-3);
        }
        (Sgd { momentum: 0.9, ..Sgd::default() }.into(), 0.01)
    }

    /// The model for its images.
    pub fn model(&self) -> Result<Model> {
        let [c, h, w] = self.image;
        Ok(by_name(self.model, 10, [h, w, c])?)
    }

    /// Images of this network as one tensor.
    pub fn images(&self, pixels: Vec<f32>) -> Result<Tensor> {
        let [c, h, w] = self.image;
        let rows = pixels.len() / (c * h * w);
        Tensor::f32([rows, h, w, c], pixels).context("a whole number of images")
    }
}

/// A step with the values that its arenas start from, before a device knows of it.
pub struct Begun {
    step: TrainStep,
    arenas: Vec<(String, Tensor)>,
    rate: f64,
}

impl Begun {
    /// Records the step and draws the weights that all peers start from.
    pub fn new(network: &Network, precision: Precision) -> Result<Begun> {
        let (optimizer, rate) = network.optimizer();
        let options = TrainOptions { precision, ..TrainOptions::new(network.batch, optimizer) };
        let step = TrainStep::build(&network.model()?, options)?;
        let mut arenas = step.initial_arenas(0);
        let (_, drawn) = arenas.iter_mut().find(|(name, _)| name == PARAMS).context("a network has parameters")?;
        *drawn = parameters(&step, network)?;
        Ok(Begun { step, arenas, rate })
    }
}

/// A network in training on a device.
pub struct Training<'b> {
    /// The device.
    pub backend: &'b mut dyn Backend,
    step: TrainStep,
    plan: PlanId,
    rate: f64,
}

impl<'b> Training<'b> {
    /// Compiles the step and sets the weights.
    pub fn start(backend: &'b mut dyn Backend, begun: Begun) -> Result<Training<'b>> {
        let Begun { step, arenas, rate } = begun;
        let plan = backend.compile(&step.graph)?;
        for (name, values) in &arenas {
            backend.write_arena(name, values)?;
        }
        Ok(Training { backend, step, plan, rate })
    }

    /// The inputs of any step on this batch.
    pub fn inputs(&self, images: Tensor, labels: Vec<i32>) -> Result<Vec<Tensor>> {
        let labels = Tensor::i32([labels.len()], labels).context("a vector")?;
        Ok(self.step.inputs(images, labels, 0, 0, self.rate))
    }

    /// Runs step `i` and waits for its loss.
    pub fn step(&mut self, inputs: &mut [Tensor], i: usize) -> Result<f32> {
        let hyper = inputs.last_mut().context("a step has inputs")?;
        *hyper = self.step.options.optimizers.hyper(self.rate, i as u64);
        self.backend.run(self.plan, inputs)?;
        let loss = self.backend.read(self.plan, 0)?;
        loss.as_f32().and_then(|v| v.first().copied()).context("the loss is a float")
    }
}

/// Weights are numbered in order of creation from 1; biases are 0, scales of norms 1.
fn parameters(step: &TrainStep, network: &Network) -> Result<Tensor> {
    let len = step.graph.arenas().iter().find(|a| a.name == PARAMS).map_or(0, |a| a.len);
    let (mut flat, mut stream) = (vec![0.0f32; len], 0);
    for declared in &step.declarations.parameters {
        let state = &step.graph.states()[declared.state.index()];
        let place = &mut flat[state.offset..state.offset + count(&state.shape)];
        let fan = match state.shape[..] {
            [_, kh, kw, channels] => [channels, kh, kw],
            [_, features] if features == count(&network.flattened) => network.flattened,
            [_, features] => [features, 1, 1],
            _ => {
                place.fill(if state.name.ends_with("weight") { 1.0 } else { 0.0 });
                continue;
            }
        };
        stream += 1;
        place.copy_from_slice(&numbers::weights(state.shape[0], fan, stream));
    }
    Tensor::f32([len], flat).context("one value for each parameter")
}

/// Times training steps of a network.
pub fn time(backend: &mut dyn Backend, network: &Network, precision: Precision, report: &Report) -> Result<()> {
    let n = network.batch;
    let batch = |b: usize| Ok((network.images(numbers::images(b * n, n, network.image))?, numbers::labels(b * n, n)));
    let data: Vec<(Tensor, Vec<i32>)> = (0..BATCHES).map(batch).collect::<Result<_>>()?;
    let begun = Begun::new(network, precision)?;
    let prepare = || {
        let training = Training::start(backend, begun)?;
        let inputs: Result<Vec<_>> = data.into_iter().map(|(x, y)| training.inputs(x, y)).collect();
        Ok((training, inputs?))
    };
    report.training(n, prepare, |(training, inputs), i| training.step(&mut inputs[i % BATCHES], i))
}
