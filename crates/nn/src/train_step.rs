//! One training step as one graph.

use std::sync::Arc;

use crate::arena::{PARAMS, arena_id};
use crate::augment::StepKey;
use crate::classification::Classification;
use crate::context::{Context, Declarations, Mode};
use crate::dropping::Dropping;
use crate::error::{NnError, Result};
use crate::init::Init;
use crate::initial::initial_arenas;
use crate::input::ImageInput;
use crate::metrics;
use crate::models::Model;
use crate::objective::Objective;
use crate::optim::{GradientChange, Optimizers, record_average};
use crate::precision::{self, Precision};
use crate::teacher::Teacher;
use crate::whitening::ExampleImages;
use chiaro_graph::{ArenaId, DType, Data, Graph, StateId, Tensor, Var};

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
    /// What it is trained for.
    pub objective: Arc<dyn Objective>,
    /// In which precision layers compute.
    pub precision: Precision,
    /// Probability of every dropout layer, in the place of its own.
    pub dropout: Option<f64>,
    /// Probability at which the model's last residual branch is dropped, in the place of its own; those before take their share.
    pub drop_path: Option<f64>,
    /// A trained model whose outputs are learnt beside the targets.
    pub teacher: Option<Teacher>,
    /// Height and width to which images are made smaller, by the mean of what falls together, before the model takes them.
    pub size: Option<[usize; 2]>,
    /// Whether the step is of the time in which [`Optimizers::freezes`]'s parameters stay: then no gradient of theirs is computed.
    pub is_frozen: bool,
    /// Most results of the forward pass are computed anew in the backward pass instead of being kept: less memory, about a fifth more work.
    pub recompute: bool,
    /// Whether norms take their running statistics as they are, as in evaluation; those of frozen parts do in any case.
    pub still_norms: bool,
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
            objective: Arc::new(Classification::default()),
            precision: Precision::F32,
            dropout: None,
            drop_path: None,
            teacher: None,
            size: None,
            is_frozen: false,
            recompute: false,
            still_norms: false,
            output_logits: false,
            output_gradients: false,
        }
    }
}

/// The graph of a training step. Inputs, in this order: the images as [`ImageInput`] says (`images` f32 `[N,H,W,C]`, `pixels` or
/// `index`), the objective's targets (`labels` i32 `[N]` of a classification), `key` u32 `[3]`, `hyper` f32, and what the images' random changes ask for (`place`, `colour`, `changes`, `tone`, `mix`); outputs: `loss`, the mean before the update, and what the options
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
    image: [usize; 3],
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
        let target = options.objective.target(model.classes);
        let targets = graph.input(target.name, &[&[options.batch], &target.shape[..]].concat(), target.dtype)?;
        let key = graph.input("key", &[3], DType::U32)?;
        let hyper = graph.input("hyper", &[options.optimizers.hyper_len()], DType::F32)?;

        graph.push_scope("images");
        let images = options.images.record(&mut graph, given, model.image)?;
        let shares = options.images.record_shares(&mut graph)?;
        let smaller = options.size.map(|size| model.of_size(size)).transpose()?;
        let seen = match options.size {
            Some(size) => graph.adaptive_avg_pool2d(images, size)?,
            None => images,
        };
        graph.pop_scope();
        let taught = options.teacher.as_ref().map(|teacher| teacher.record(&mut graph, images)).transpose()?;
        let (half, scaling) = precision::declare(&mut graph, model, options.precision)?;
        let mut ctx = Context::new(&mut graph, Mode::Train, Some(key)).with_half(half);
        ctx = ctx.with_dropping(Dropping::new(options.dropout, options.drop_path));
        let (optimizers, is_frozen, all) = (options.optimizers.clone(), options.is_frozen, options.still_norms);
        ctx = ctx.with_still(move |state| all || (is_frozen && optimizers.freezes(state)));
        let logits = smaller.as_ref().unwrap_or(model).record(&mut ctx, seen)?;
        ctx.dropping().check(&model.name)?;
        let (declarations, running) = ctx.close();
        let mut statistics = if scaling.is_none() { running.assign(&mut graph, None)? } else { None };
        let Some(params) = arena_id(&graph, PARAMS) else {
            return Err(NnError::Option(format!("the model {} has no parameters to train", model.name)));
        };

        graph.push_scope("loss");
        let mut loss = loss(&mut graph, &*options.objective, logits, targets, shares)?;
        if let (Some(teacher), Some(taught)) = (&options.teacher, taught) {
            loss = teacher.with_loss(&mut graph, loss, logits, taught)?;
        }
        graph.output("loss", loss)?;
        graph.pop_scope();
        graph.push_scope("gradient");
        let start = scaling.as_ref().map(|s| s.scale);
        let mut gradient = packed_gradient(&mut graph, loss, start, params, &declarations, &options)?;
        graph.pop_scope();
        let mut good = None;
        if let Some(scaling) = &scaling {
            let (unscaled, finite) = scaling.unscale(&mut graph, gradient)?;
            statistics = running.assign(&mut graph, Some(finite))?;
            (gradient, good) = (unscaled, Some(finite));
        }
        graph.push_scope("optimizer");
        update(&mut graph, params, gradient, hyper, good, &options)?;
        if let (Some((arena, new)), Some(kept)) = (statistics, options.optimizers.kept_share(&mut graph, hyper)?) {
            record_average(&mut graph, arena, new, kept)?;
        }
        graph.pop_scope();
        graph.push_scope("metrics");
        let count = options.objective.counted(&mut graph, logits, targets)?;
        let loss_sum = graph.mul(loss, count)?;
        metrics::accumulate(&mut graph, &*options.objective, logits, targets, loss_sum, false)?;
        graph.pop_scope();
        if options.output_logits {
            graph.output("logits", logits)?;
        }
        if options.output_gradients {
            graph.output("gradients", gradient)?;
        }
        Ok(TrainStep { graph, declarations, options, image: model.image })
    }

    /// Every arena but the data set's with its values before the first step, to be written to the backend.
    pub fn initial_arenas(&self, seed: u64) -> Vec<(String, Tensor)> {
        self.initial_arenas_from(seed, None)
    }

    /// Whether some initial values are made of training images.
    pub fn wants_examples(&self) -> bool {
        let Declarations { parameters, buffers, .. } = &self.declarations;
        parameters.iter().chain(buffers).any(|declared| declared.init == Init::Whitening)
    }

    /// [`TrainStep::initial_arenas`] with training images for the values that are made of some.
    pub fn initial_arenas_from(&self, seed: u64, examples: Option<&ExampleImages>) -> Vec<(String, Tensor)> {
        initial_arenas(&self.graph, &self.declarations, seed, examples)
    }

    /// The inputs of a step in the graph's order, the images as [`TrainOptions::images`] says. `seed` and `step` (from 0) key the random numbers, `lr` is the step's rate.
    pub fn inputs(&self, images: Tensor, targets: Tensor, seed: u64, step: u64, lr: f64) -> Vec<Tensor> {
        self.inputs_by(images, targets, &StepKey { seed, step, ..StepKey::default() }, lr)
    }

    /// The same, told more of the images, for changes that depend on it ([`Flip::Alternating`](crate::Flip::Alternating)).
    pub fn inputs_by(&self, images: Tensor, targets: Tensor, key: &StepKey<'_>, lr: f64) -> Vec<Tensor> {
        let drawn = self.options.images.drawn(key, self.options.batch, self.image);
        let hyper = self.options.optimizers.hyper(lr, key.step);
        let fixed = [images, targets, random_key(key.seed, key.step), hyper];
        fixed.into_iter().chain(drawn).collect()
    }
}

/// The objective's loss; of mixed images both targets' losses, by their shares.
fn loss(graph: &mut Graph, objective: &dyn Objective, logits: Var, targets: Var, shares: Option<Var>) -> Result<Var> {
    let own = objective.loss(graph, logits, targets)?;
    let Some(shares) = shares else { return Ok(own) };
    let n = graph.shape(targets)[0];
    let opposite = Tensor::i32([n], (0..n as i32).rev().collect()).unwrap_or_else(|| Tensor::zeros([n], DType::I32));
    let opposite = graph.constant(opposite)?;
    let others = graph.index_select(targets, opposite, 0)?;
    let other = objective.loss(graph, logits, others)?;
    let mut part = |loss: Var, at: usize| {
        let share = graph.narrow(shares, 0, at, at + 1)?;
        let share = graph.reshape(share, &[])?;
        graph.mul(loss, share)
    };
    let (own, other) = (part(own, 0)?, part(other, 1)?);
    Ok(graph.add(own, other)?)
}

/// The key of the random ops of a step.
pub(crate) fn random_key(seed: u64, step: u64) -> Tensor {
    let words = vec![seed as u32, (seed >> 32) as u32, step as u32];
    Tensor::new([3], Data::U32(words)).unwrap_or_else(|| Tensor::zeros([3], DType::U32))
}

fn check(model: &Model, options: &TrainOptions) -> Result<()> {
    if options.batch == 0 {
        return Err(NnError::Option("the batch size must be at least 1".into()));
    }
    let [h, w, _] = model.image;
    if let Some([height, width]) = options.size.filter(|size| size[0] > h || size[1] > w) {
        return Err(NnError::Option(format!("images of {h}x{w} cannot be made smaller to {height}x{width}")));
    }
    options.optimizers.averaging().map_or(Ok(()), |average| average.check())?;
    options.teacher.as_ref().map_or(Ok(()), |teacher| teacher.check(model))?;
    options.objective.check(model.classes)
}

/// The gradients of all parameters, zero of those that are frozen; `start`, a single number, stands in the place of d loss / d loss = 1.
fn packed_gradient(
    graph: &mut Graph,
    loss: Var,
    start: Option<Var>,
    params: ArenaId,
    declarations: &Declarations,
    options: &TrainOptions,
) -> Result<Var> {
    let mut taken = precision::parameters_as_taken(graph, declarations)?;
    if options.is_frozen {
        taken.retain(|(state, _)| !options.optimizers.freezes(&graph.states()[state.index()]));
    }
    let values: Vec<Var> = taken.iter().map(|(_, value)| *value).collect();
    let gradients = match options.recompute {
        true => graph.grad_recomputing(loss, start, &values)?,
        false => graph.grad(loss, start, &values)?,
    };
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
