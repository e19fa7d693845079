//! Values of the device's arenas: to names, and from files.

use chiaro_graph::{Backend, Graph, Saved, Tensor};
use chiaro_io::Weights;
use chiaro_nn::{arenas_saved, unpack_arena};

use crate::error::Result;

/// Parameters and running statistics by name.
pub(crate) fn read(backend: &mut dyn Backend, graph: &Graph) -> Result<Vec<(String, Tensor)>> {
    let mut values = vec![];
    for (arena, _) in arenas_saved(graph, Saved::Weights) {
        values.extend(unpack_arena(graph, &arena.name, &backend.read_arena(&arena.name)?)?);
    }
    Ok(values)
}

/// Writes weights to the backend's arenas, of which a graph must be compiled.
pub(crate) fn load_into(weights: &Weights, backend: &mut dyn Backend, graph: &Graph) -> Result<()> {
    for (arena, values) in weights.arenas(graph)? {
        backend.write_arena(&arena, &values)?;
    }
    Ok(())
}

/// Whether no parameter and no running statistic is infinite or NaN.
pub(crate) fn finite(graph: &Graph, arenas: &[(String, Tensor)]) -> bool {
    let names: Vec<&str> = arenas_saved(graph, Saved::Weights).map(|(arena, _)| arena.name.as_str()).collect();
    let weights = arenas.iter().filter(|(name, _)| names.contains(&name.as_str()));
    weights.filter_map(|(_, values)| values.as_f32()).flatten().all(|value| value.is_finite())
}
