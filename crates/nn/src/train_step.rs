//! One training step as one graph.

use crate::arena::{BUFFERS, METRICS, PARAMS, arena_id, vector};
use crate::context::{Context, Declarations, Mode};
use crate::error::{NnError, Result};
use crate::init::initial_arena;
use crate::input::{ImageInput, is_data_arena};
use crate::loss_scale::LOSS_SCALE;
use crate::metrics;
use crate::models::Model;
use crate::optim::{GradientChange, Optimizers};
use crate::precision::{self, Precision};
use chiaro_graph::{ArenaId, CrossEntropyOptions, DType, Data, Graph, StateId, Tensor, Var};

/// What a training step does beside the model.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// Images in a step.
    pub batch: usize,
    /// How the images come.
    pub images: ImageInput,
    /// What updates the parameters: one optimizer, or several for groups of them.
    pub optimizers: Optimizers,
    /// What is done to the gradients before the optimizer sees them, in this order.
    pub gradient_changes: Vec<GradientChange>,
    /// Share of the target spread evenly over the classes.
    pub label_smoothing: f64,
    /// Weight of each class in the loss.
    pub class_weights: Option<Vec<f32>>,
    /// In which precision layers compute.
    pub precision: Precision,
    /// Also give `logits` `[N,classes]`.
    pub output_logits: bool,
    /// Also give `gradients`, laid out as the parameters' arena, before clipping.
    pub output_gradients: bool,
}

impl TrainOptions {
    /// Everything optional left out.
    pub fn new(batch: usize, optimizers: impl Into<Optimizers>) -> TrainOptions {
        TrainOptions {
            batch,
            images: ImageInput::default(),
            optimizers: optimizers.into(),
            gradient_changes: vec![],
            label_smoothing: 0.0,
            class_weights: None,
            precision: Precision::F32,
            output_logits: false,
            output_gradients: false,
        }
    }
}

/// Labels with this value have no loss and are not counted: they fill up a batch.
pub(crate) const IGNORED: i32 = -100;

/// The graph of a training step. Inputs, in this order: the images as [`ImageInput`] says (`images` f32 `[N,H,W,C]`, `pixels` or
/// `index`), `labels` i32 `[N]`, `key` u32 `[3]` and `hyper` f32; outputs: `loss`, the mean before the update, and what the options
/// ask for. States: the arenas "params", "buffers" (where the model has any), "metrics", the optimizer's, the data set's where
/// it is on the device and, in 16-bit precision, "loss_scale".
#[derive(Clone, Debug)]
pub struct TrainStep {
    /// The graph.
    pub graph: Graph,
    /// What the layers declared.
    pub declarations: Declarations,
    /// The options it was built with.
    pub options: TrainOptions,
}

impl TrainStep {
    /// Records a whole step of `model`.
    ///
    /// # Errors
    /// If a layer does not fit, or an option is outside its range.
    pub fn build(model: &Model, options: TrainOptions) -> Result<TrainStep> {
        check(model, &options)?;
        let mut graph = Graph::new();
        let given = options.images.declare(&mut graph, options.batch, model.image)?;
        let labels = graph.input("labels", &[options.batch], DType::I32)?;
        let key = graph.input("key", &[3], DType::U32)?;
        let hyper = graph.input("hyper", &[options.optimizers.hyper_len()], DType::F32)?;

        graph.push_scope("images");
        let images = options.images.record(&mut graph, given, model.image, Some(key))?;
        graph.pop_scope();
        let (half, scaling) = precision::declare(&mut graph, model, options.batch, options.precision)?;
        let mut ctx = Context::new(&mut graph, Mode::Train, Some(key)).with_half(half);
        let logits = model.record(&mut ctx, images)?;
        let (declarations, running) = ctx.close();
        if scaling.is_none() {
            running.assign(&mut graph, None)?;
        }
        let Some(params) = arena_id(&graph, PARAMS) else {
            return Err(NnError::Option(format!("the model {} has no parameters to train", model.name)));
        };

        graph.push_scope("loss");
        let loss = cross_entropy(&mut graph, logits, labels, &options)?;
        graph.output("loss", loss)?;
        graph.pop_scope();
        graph.push_scope("gradient");
        let start = scaling.as_ref().map(|s| s.scale);
        let mut gradient = packed_gradient(&mut graph, loss, start, params, &declarations)?;
        graph.pop_scope();
        let mut good = None;
        if let Some(scaling) = &scaling {
            let (unscaled, finite) = scaling.unscale(&mut graph, gradient)?;
            running.assign(&mut graph, Some(finite))?;
            (gradient, good) = (unscaled, Some(finite));
        }
        graph.push_scope("optimizer");
        update(&mut graph, params, gradient, hyper, good, &options)?;
        graph.pop_scope();
        graph.push_scope("metrics");
        let count = metrics::counted(&mut graph, labels, IGNORED)?;
        let loss_sum = graph.mul(loss, count)?;
        metrics::accumulate(&mut graph, logits, labels, loss_sum, IGNORED)?;
        graph.pop_scope();
        if options.output_logits {
            graph.output("logits", logits)?;
        }
        if options.output_gradients {
            graph.output("gradients", gradient)?;
        }
        Ok(TrainStep { graph, declarations, options })
    }

    /// Every arena but the data set's with its values before the first step, to be written to the backend.
    pub fn initial_arenas(&self, seed: u64) -> Vec<(String, Tensor)> {
        let slots = self.options.optimizers.slots();
        let value = |name: &str, len: usize| match name {
            PARAMS => initial_arena(&self.graph, &self.declarations.parameters, seed),
            BUFFERS => initial_arena(&self.graph, &self.declarations.buffers, seed),
            METRICS => Tensor::zeros([len], DType::F32),
            LOSS_SCALE => vector(self.options.precision.initial_scale(len)),
            slot => {
                let initial = slots.iter().find(|(arena, _)| arena == slot).map_or(0.0, |(_, initial)| *initial);
                vector(vec![initial as f32; len])
            }
        };
        let arenas = self.graph.arenas().iter().filter(|a| !is_data_arena(&a.name));
        arenas.map(|a| (a.name.clone(), value(&a.name, a.len))).collect()
    }

    /// The inputs of a step in the graph's order, the images as [`TrainOptions::images`] says. `seed` and `step` (from 0) key the random numbers, `lr` is the step's rate.
    pub fn inputs(&self, images: Tensor, labels: Tensor, seed: u64, step: u64, lr: f64) -> Vec<Tensor> {
        vec![images, labels, random_key(seed, step), self.options.optimizers.hyper(lr, step)]
    }
}

/// The key of the random ops of a step.
fn random_key(seed: u64, step: u64) -> Tensor {
    let words = vec![seed as u32, (seed >> 32) as u32, step as u32];
    Tensor::new([3], Data::U32(words)).unwrap_or_else(|| Tensor::zeros([3], DType::U32))
}

fn check(model: &Model, options: &TrainOptions) -> Result<()> {
    let fail = |text: String| Err(NnError::Option(text));
    if options.batch == 0 {
        return fail("the batch size must be at least 1".into());
    }
    if !(0.0..1.0).contains(&options.label_smoothing) {
        return fail(format!("label smoothing {} is outside [0, 1)", options.label_smoothing));
    }
    match &options.class_weights {
        Some(w) if w.len() != model.classes => {
            fail(format!("{} class weights were given for {} classes", w.len(), model.classes))
        }
        Some(w) if w.iter().any(|w| !w.is_finite() || *w < 0.0) => fail("class weights must be numbers >= 0".into()),
        _ => Ok(()),
    }
}

fn cross_entropy(graph: &mut Graph, logits: Var, labels: Var, options: &TrainOptions) -> Result<Var> {
    let class_weight = options.class_weights.clone().map(|w| graph.constant(vector(w))).transpose()?;
    let spec = CrossEntropyOptions {
        class_weight,
        label_smoothing: options.label_smoothing,
        ignore_index: IGNORED,
        ..CrossEntropyOptions::default()
    };
    Ok(graph.cross_entropy(logits, labels, &spec)?)
}

/// The gradients of all parameters; `start`, a single number, stands in the place of d loss / d loss = 1.
fn packed_gradient(
    graph: &mut Graph,
    loss: Var,
    start: Option<Var>,
    params: ArenaId,
    declarations: &Declarations,
) -> Result<Var> {
    let taken = precision::parameters_as_taken(graph, declarations)?;
    let values: Vec<Var> = taken.iter().map(|(_, value)| *value).collect();
    let gradients = graph.grad(loss, start, &values)?;
    let mut pairs: Vec<(StateId, Var)> = vec![];
    for ((state, _), gradient) in taken.into_iter().zip(gradients) {
        let gradient = graph.widened(gradient)?;
        match pairs.last_mut() {
            Some((last, sum)) if *last == state => *sum = graph.add(*sum, gradient)?,
            _ => pairs.push((state, gradient)),
        }
    }
    Ok(graph.pack(params, &pairs)?)
}

fn update(
    graph: &mut Graph,
    params: ArenaId,
    gradient: Var,
    hyper: Var,
    condition: Option<Var>,
    options: &TrainOptions,
) -> Result<()> {
    let gradient =
        options.gradient_changes.iter().try_fold(gradient, |gradient, change| change.apply(graph, gradient))?;
    options.optimizers.apply(graph, params, gradient, hyper, condition)
}
