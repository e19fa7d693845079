//! One evaluation step as one graph.

use crate::classification::Classification;
use crate::context::{Context, Declarations, Mode};
use crate::error::{NnError, Result};
use crate::input::ImageInput;
use crate::metrics;
use crate::models::Model;
use crate::objective::Objective;
use crate::views::Views;
use chiaro_graph::{Data, Graph, Tensor};

/// The graph of an evaluation step. Inputs: the images as [`ImageInput`] says, the objective's targets, whose filler marks rows that only fill up the
/// batch (or whose target is unknown); output: `logits` `[N,outputs]`. Adds the objective's loss and sums to the arena "metrics", which
/// it shares with the training step, as it does "params" and "buffers".
#[derive(Clone, Debug)]
pub struct EvalStep {
    /// The graph.
    pub graph: Graph,
    /// What the layers declared.
    pub declarations: Declarations,
    /// Images in a step.
    pub batch: usize,
}

impl EvalStep {
    /// Label of a row that is not counted, in a classification.
    pub const IGNORED: i32 = Classification::IGNORED;

    /// Records an evaluation step of a classification by `model` for images f32 `[N,H,W,C]`.
    ///
    /// # Errors
    /// If a layer does not fit or the batch is empty.
    pub fn build(model: &Model, batch: usize) -> Result<EvalStep> {
        EvalStep::with_input(model, batch, &ImageInput::Normalized, &Classification::default())
    }

    /// Records an evaluation step of `model` for any objective and images that come in another way; nothing random is done to them.
    ///
    /// # Errors
    /// Those of [`EvalStep::build`], and if the input does not fit the model's images.
    pub fn with_input(model: &Model, batch: usize, input: &ImageInput, objective: &dyn Objective) -> Result<EvalStep> {
        EvalStep::with_views(model, batch, input, objective, Views::One)
    }

    /// The same with the outputs of several views of each image averaged.
    ///
    /// # Errors
    /// As [`EvalStep::with_input`].
    pub fn with_views(
        model: &Model,
        batch: usize,
        input: &ImageInput,
        objective: &dyn Objective,
        views: Views,
    ) -> Result<EvalStep> {
        if batch == 0 {
            return Err(NnError::Option("the batch size must be at least 1".into()));
        }
        let mut graph = Graph::new();
        let given = input.declare(&mut graph, batch, model.image)?;
        let target = objective.target(model.classes);
        let targets = graph.input(target.name, &[&[batch], &target.shape[..]].concat(), target.dtype)?;
        graph.push_scope("images");
        let images = input.record(&mut graph, given, model.image)?;
        let images = views.of_images(&mut graph, images)?;
        graph.pop_scope();
        let mut ctx = Context::new(&mut graph, Mode::Eval, None);
        let logits = model.record(&mut ctx, images)?;
        let declarations = ctx.finish()?;
        let logits = views.average(&mut graph, logits)?;
        graph.push_scope("metrics");
        let loss_sum = objective.loss_sum(&mut graph, logits, targets)?;
        metrics::accumulate(&mut graph, objective, logits, targets, loss_sum, true)?;
        graph.pop_scope();
        graph.output("logits", logits)?;
        Ok(EvalStep { graph, declarations, batch })
    }

    /// Fills normalised images and labels of fewer rows up to the batch, with zeros and ignored labels. `None` if they have more rows, their
    /// numbers differ, or their types are not f32 and i32.
    pub fn padded(&self, images: &Tensor, labels: &Tensor) -> Option<Vec<Tensor>> {
        let (pixels, classes) = (images.as_f32()?, labels.as_i32()?);
        let row: usize = images.shape().get(1..)?.iter().product();
        if classes.len() > self.batch || images.shape()[0] != classes.len() {
            return None;
        }
        let (mut pixels, mut classes) = (pixels.to_vec(), classes.to_vec());
        pixels.resize(self.batch * row, 0.0);
        classes.resize(self.batch, Self::IGNORED);
        let mut shape = images.shape().to_vec();
        shape[0] = self.batch;
        Some(vec![Tensor::f32(shape, pixels)?, Tensor::new([self.batch], Data::I32(classes))?])
    }
}
