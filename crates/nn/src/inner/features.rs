//! The features that a model makes of images.

use super::Inner;
use crate::context::{Context, Mode};
use crate::error::{NnError, Result};
use crate::input::ImageInput;
use crate::models::Model;
use chiaro_graph::{DType, Graph, Var};

/// The graph of a model up to one of its layers. Inputs: the images as [`ImageInput`] says; output: `features` f32 `[N,D]`, the mean over
/// all places where the layer gives a map or tokens. The weights are in the arenas "params" and "buffers".
#[derive(Clone, Debug)]
pub struct FeatureStep {
    /// The graph.
    pub graph: Graph,
    /// Images in a step.
    pub batch: usize,
    /// How many features an image has.
    pub features: usize,
}

impl FeatureStep {
    /// Records the model, of which `layer` gives the features (`layer4.1`); absent, they are what its last layer makes classes of.
    ///
    /// # Errors
    /// If there is no such layer, or the input does not fit the model's images.
    pub fn build(model: &Model, batch: usize, input: &ImageInput, layer: Option<&str>) -> Result<FeatureStep> {
        if batch == 0 {
            return Err(NnError::Option("the batch size must be at least 1".into()));
        }
        let mut graph = Graph::new();
        let given = input.declare(&mut graph, batch, model.image)?;
        let images = input.record(&mut graph, given, model.image)?;
        let mut ctx = Context::new(&mut graph, Mode::Eval, None);
        model.record(&mut ctx, images)?;
        let (_, layers) = ctx.finish_telling()?;
        let inner = Inner { layers: &layers, images };
        let value = match layer {
            Some(name) => inner.named(name)?,
            None => inner.penultimate(&graph)?,
        };
        let pooled = pooled(&mut graph, value)?;
        let features = graph.shape(pooled)[1];
        graph.output("features", pooled)?;
        Ok(FeatureStep { graph, batch, features })
    }
}

/// `[N,H,W,C]` and `[N,T,D]` as their mean over places, `[N,D]` as it is.
fn pooled(graph: &mut Graph, value: Var) -> Result<Var> {
    let value = graph.cast(value, DType::F32)?;
    Ok(match graph.shape(value).len() {
        0..=2 => value,
        rank => {
            let axes: Vec<usize> = (1..rank - 1).collect();
            graph.mean(value, &axes, false)?
        }
    })
}
