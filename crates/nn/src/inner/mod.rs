//! Values inside a model: what layers gave while it was recorded, the features before its last layer, and its last map of features.

mod attention_map;
mod features;

pub use attention_map::{GradCamStep, MapOf};
pub use features::FeatureStep;

use crate::error::{NnError, Result};
use chiaro_graph::{ArenaRole, Graph, Var};

/// A layer that was recorded, in the order in which layers end.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// Layer path, such as `layer1/0/conv1`.
    pub path: String,
    pub kind: &'static str,
    pub input: Var,
    pub output: Var,
}

/// The layers of a recorded model.
pub(crate) struct Inner<'r> {
    pub layers: &'r [Recorded],
    pub images: Var,
}

impl Inner<'_> {
    /// What the layer of this name gave: `layer4.1` or `layer4/1`. Of a layer that is called twice the last time counts.
    fn named(&self, name: &str) -> Result<Var> {
        let path = name.replace('.', "/");
        let found = self.layers.iter().rev().find(|layer| layer.path == path);
        found.map(|layer| layer.output).ok_or_else(|| {
            let same =
                |layer: &&Recorded| !path.is_empty() && layer.path.contains(path.rsplit('/').next().unwrap_or(""));
            let near: Vec<String> = self.layers.iter().filter(same).take(3).map(|l| l.path.replace('/', ".")).collect();
            let near = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(", ")) };
            NnError::Option(format!("the model has no layer {name:?} (`chiaro summary` lists them){near}"))
        })
    }

    /// What goes into the last layer that has parameters of its own, which makes classes of features.
    fn penultimate(&self, graph: &Graph) -> Result<Var> {
        let learns = |layer: &&Recorded| {
            let path = layer.path.replace('/', ".");
            graph.states().iter().any(|state| {
                let arena = &graph.arenas()[state.arena.index()];
                arena.role == ArenaRole::Parameters && state.name.rsplit_once('.').is_some_and(|(of, _)| of == path)
            })
        };
        let last = self.layers.iter().rev().find(learns);
        last.map(|layer| layer.input).ok_or_else(|| {
            NnError::Option("the model has no layer with parameters, so that there are no features".into())
        })
    }

    /// The last map of features `[N,H,W,C]` of more than one place and of so many a side at least, before it is pooled: where the last
    /// pooling or the classifier begins. Of a transformer what the last attention sees, `[N,1+HW,D]` for a map of H times W.
    fn last_map(&self, graph: &Graph, side: usize) -> Result<FeatureMap> {
        let pooled: Vec<Var> = self.layers.iter().filter(|l| l.kind.contains("Pool")).map(|l| l.output).collect();
        let places = |v: Var| match *graph.shape(v) {
            [_, h, w, _] if h * w > 1 && h.min(w) >= side && v != self.images && !pooled.contains(&v) => Some([h, w]),
            _ => None,
        };
        let values = self.layers.iter().flat_map(|layer| [layer.input, layer.output]);
        let last = values.filter_map(|v| Some((v, places(v)?))).max_by_key(|(v, _)| v.index());
        let Some((map, size)) = last else {
            return Err(NnError::Option(
                "the model has no map of features, whose places could be shown: nothing before its last layers has a height and a width".into(),
            ));
        };
        let attention = self.layers.iter().rev().find(|layer| layer.kind == "Attention").map(|layer| layer.input);
        match attention {
            Some(tokens) if graph.shape(tokens).get(1) == Some(&(1 + size[0] * size[1])) => {
                Ok(FeatureMap { value: tokens, size, tokens: true })
            }
            Some(_) | None => Ok(FeatureMap { value: map, size, tokens: false }),
        }
    }

    /// Where a value comes from, in words: the layer that gives it, or the one that takes it.
    fn origin(&self, value: Var) -> String {
        let name = |layer: &Recorded| layer.path.replace('/', ".");
        let gives = self.layers.iter().rev().find(|layer| layer.output == value).map(name);
        let takes =
            || self.layers.iter().find(|layer| layer.input == value).map(|layer| format!("what {} takes", name(layer)));
        gives.or_else(takes).unwrap_or_default()
    }

    /// The same of a layer that is named.
    fn map_of(&self, name: &str, graph: &Graph) -> Result<FeatureMap> {
        let value = self.named(name)?;
        let grid = self.last_map(graph, 1).ok().map(|map| map.size);
        match (graph.shape(value), grid) {
            (&[_, h, w, _], _) => Ok(FeatureMap { value, size: [h, w], tokens: false }),
            (&[_, tokens, _], Some(size)) if tokens == 1 + size[0] * size[1] => {
                Ok(FeatureMap { value, size, tokens: true })
            }
            (shape, _) => Err(NnError::Option(format!(
                "the layer {name:?} gives {:?}, which has no height and width to show",
                &shape[1..]
            ))),
        }
    }
}

/// A map of features.
#[derive(Clone, Copy)]
struct FeatureMap {
    value: Var,
    /// Height and width.
    size: [usize; 2],
    /// `[N,1+HW,D]` with a token for the class before the places, else `[N,H,W,C]`.
    tokens: bool,
}
