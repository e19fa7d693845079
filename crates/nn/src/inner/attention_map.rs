//! Grad-CAM (arXiv:1610.02391): which places of an image speak for a class.

use super::{FeatureMap, Inner};
use crate::context::{Context, Mode};
use crate::error::{NnError, Result};
use crate::input::ImageInput;
use crate::models::Model;
use chiaro_graph::{DType, Elementwise, Graph, Var};

/// The graph of Grad-CAM. Inputs: the images as [`ImageInput`] says, `class` i32 `[N]`; outputs: `logits` f32 `[N,classes]` and `map` f32
/// `[N,h,w]`, the sum over the channels of the last map of features, each weighted by the mean over all places of the gradient
/// of the class's logit, of which what is below 0 becomes 0. Of a vision transformer the map are the tokens of the patches, as the
/// last block's attention sees them.
#[derive(Clone, Debug)]
pub struct GradCamStep {
    /// The graph.
    pub graph: Graph,
    /// Images in a step.
    pub batch: usize,
    /// Height and width of the map.
    pub size: [usize; 2],
    /// The layer that gives the map.
    pub layer: String,
}

/// Which map of features is weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapOf<'a> {
    /// The last, as the paper has it.
    Last,
    /// The last of so many places a side at least: of small images the last map has hardly any places. The last of all where none has.
    Side(usize),
    /// That of a layer (`layer3.1`).
    Layer(&'a str),
}

impl GradCamStep {
    /// Records the model and the gradient with respect to one of its maps.
    ///
    /// # Errors
    /// If the model has no such layer or no map, or the input does not fit its images.
    pub fn build(model: &Model, batch: usize, input: &ImageInput, map: MapOf<'_>) -> Result<GradCamStep> {
        if batch == 0 {
            return Err(NnError::Option("the batch size must be at least 1".into()));
        }
        let mut graph = Graph::new();
        let given = input.declare(&mut graph, batch, model.image)?;
        let class = graph.input("class", &[batch], DType::I32)?;
        let images = input.record(&mut graph, given, model.image)?;
        let mut ctx = Context::new(&mut graph, Mode::Eval, None);
        let logits = model.record(&mut ctx, images)?;
        let (_, layers) = ctx.finish_telling()?;
        let inner = Inner { layers: &layers, images };
        let map = match map {
            MapOf::Last => inner.last_map(&graph, 1)?,
            MapOf::Side(side) => inner.last_map(&graph, side).or_else(|_| inner.last_map(&graph, 1))?,
            MapOf::Layer(name) => inner.map_of(name, &graph)?,
        };
        let layer = inner.origin(map.value);
        let chosen = graph.one_hot(class, model.classes, DType::F32)?;
        let gradient = graph.grad(logits, Some(chosen), &[map.value])?[0];
        let heat = weighted(&mut graph, map, gradient)?;
        graph.output("logits", logits)?;
        graph.output("map", heat)?;
        Ok(GradCamStep { graph, batch, size: map.size, layer })
    }
}

/// The map `[N,h,w]` of features and the gradient with respect to them.
fn weighted(graph: &mut Graph, map: FeatureMap, gradient: Var) -> Result<Var> {
    let [features, gradient] = [map.value, gradient].map(|v| places(graph, map, v));
    let (features, gradient) = (features?, gradient?);
    let weights = graph.mean(gradient, &[1, 2], true)?;
    let weighted = graph.mul(features, weights)?;
    let sum = graph.sum(weighted, &[3], false)?;
    Ok(graph.unary(Elementwise::Relu, sum)?)
}

/// `[N,h,w,C]` of a map or of tokens, whose first stands for the class.
fn places(graph: &mut Graph, map: FeatureMap, value: Var) -> Result<Var> {
    let value = graph.cast(value, DType::F32)?;
    if !map.tokens {
        return Ok(value);
    }
    let &[n, tokens, features] = graph.shape(value) else { return Ok(value) };
    let places = graph.narrow(value, 1, 1, tokens)?;
    Ok(graph.reshape(places, &[n, map.size[0], map.size[1], features])?)
}
