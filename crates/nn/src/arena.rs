//! Arenas seen from the host: their names, and flat vectors taken apart into named tensors and put together again.

use crate::error::{NnError, Result};
use chiaro_graph::shape::count;
use chiaro_graph::{ArenaId, ArenaInfo, DType, Graph, Saved, StateInfo, Tensor};

/// Arena of the trainable parameters.
pub const PARAMS: &str = "params";
/// Arena of the running statistics.
pub const BUFFERS: &str = "buffers";
/// Arena of the metrics that a step adds to; see [`crate::Metrics`].
pub const METRICS: &str = "metrics";

/// The arena of this name, if the graph has it.
pub fn arena_id(graph: &Graph, name: &str) -> Option<ArenaId> {
    graph.find_arena(name)
}

/// The arenas that are saved in this place, each with the arena whose states name its parts: itself, or the one that it is laid
/// out as.
pub fn arenas_saved(graph: &Graph, saved: Saved) -> impl Iterator<Item = (&ArenaInfo, &ArenaInfo)> {
    let layout = |arena: &'_ ArenaInfo| arena.like.map_or_else(|| arena_id(graph, &arena.name), Some);
    let own = graph.arenas().iter().filter(move |arena| arena.role.saved() == saved);
    own.filter_map(move |arena| Some((arena, &graph.arenas()[layout(arena)?.index()])))
}

fn states<'g>(graph: &'g Graph, name: &str) -> Result<(usize, Vec<&'g StateInfo>)> {
    let id = arena_id(graph, name).ok_or_else(|| NnError::Arena(format!("the graph has no arena {name:?}")))?;
    let arena = &graph.arenas()[id.index()];
    Ok((arena.len, arena.states.iter().map(|s| &graph.states()[s.index()]).collect()))
}

/// The states of the arena `layout` by name, taken from a flat f32 vector of that layout: the arena itself, gradients, or an
/// optimizer slot.
///
/// # Errors
/// If the graph has no such arena, or the vector has another length or type.
pub fn unpack_arena(graph: &Graph, layout: &str, flat: &Tensor) -> Result<Vec<(String, Tensor)>> {
    let (len, states) = states(graph, layout)?;
    let values = flat.as_f32().filter(|v| v.len() == len).ok_or_else(|| {
        NnError::Arena(format!("{layout:?} holds {len} f32, but the vector is {} {:?}", flat.dtype(), flat.shape()))
    })?;
    let tensor = |s: &StateInfo| {
        let part = values[s.offset..s.offset + count(&s.shape)].to_vec();
        Tensor::f32(s.shape.clone(), part).map(|t| (s.name.clone(), t))
    };
    Ok(states.into_iter().filter_map(tensor).collect())
}

/// The flat f32 vector of an arena from its states' values, padding zero.
///
/// # Errors
/// If the graph has no such arena, or `value` has none for a state or one of another shape or type.
pub fn pack_arena<'t>(graph: &Graph, name: &str, value: impl Fn(&str) -> Option<&'t Tensor>) -> Result<Tensor> {
    let (len, states) = states(graph, name)?;
    let mut flat = vec![0.0f32; len];
    for state in states {
        let tensor = value(&state.name).ok_or_else(|| NnError::Arena(format!("no value for {:?}", state.name)))?;
        let values = tensor.as_f32().filter(|_| tensor.shape() == state.shape).ok_or_else(|| {
            NnError::Arena(format!(
                "{:?} must be {} {:?}, but is {} {:?}",
                state.name,
                DType::F32,
                state.shape,
                tensor.dtype(),
                tensor.shape()
            ))
        })?;
        flat[state.offset..state.offset + values.len()].copy_from_slice(values);
    }
    Ok(vector(flat))
}

/// A flat f32 tensor.
pub(crate) fn vector(values: Vec<f32>) -> Tensor {
    let n = values.len();
    Tensor::f32([n], values).unwrap_or_else(|| Tensor::zeros([n], DType::F32))
}
