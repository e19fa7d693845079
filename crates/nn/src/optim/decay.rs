//! Which parameters decay.

use crate::arena::vector;
use chiaro_graph::{ArenaId, Graph, GraphError, Result, Tensor};

/// Which parameters decay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decay {
    /// All, as PyTorch's optimizers do.
    #[default]
    All,
    /// Only the weights of dense layers and convolutions: biases, norms' scales and shifts, layer scales, and transformers'
    /// tokens and places are left alone.
    Weights,
}

impl Decay {
    /// Whether a parameter of this shape is a weight: dense layers have two axes, convolutions four, all others one or three.
    pub fn is_weight(shape: &[usize]) -> bool {
        matches!(shape.len(), 2 | 4..)
    }

    /// 1 where a parameter decays, else 0, laid out as the arena; `None` where all do.
    ///
    /// # Errors
    /// [`GraphError::Memory`]: it is the first thing as large as the parameters that is made of a model.
    pub fn mask(self, graph: &Graph, params: ArenaId) -> Result<Option<Tensor>> {
        if self == Decay::All {
            return Ok(None);
        }
        let mut flat = a_number_each(graph, params, 0.0f32)?;
        let states = graph.arenas()[params.index()].states.iter().map(|s| &graph.states()[s.index()]);
        for state in states.filter(|s| Decay::is_weight(&s.shape)) {
            flat[state.offset..state.offset + chiaro_graph::shape::count(&state.shape)].fill(1.0);
        }
        Ok(Some(vector(flat)))
    }
}

/// One number for each element of an arena, padding included.
pub(super) fn a_number_each<T: Clone>(graph: &Graph, params: ArenaId, number: T) -> Result<Vec<T>> {
    let len = graph.arenas()[params.index()].len;
    let mut flat = vec![];
    let none = |_| GraphError::Memory {
        what: format!("one number for each of the model's {:.0} million parameters", len as f64 / 1e6),
        hint: "smaller images, or another model, have fewer",
    };
    flat.try_reserve_exact(len).map_err(none)?;
    flat.resize(len, number);
    Ok(flat)
}
