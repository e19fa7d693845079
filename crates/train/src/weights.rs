//! Values of the device's arenas: to names, and from files.

use chiaro_graph::{Backend, Graph, Tensor};
use chiaro_io::Weights;
use chiaro_nn::{BUFFERS, PARAMS, arena_id, unpack_arena};

use crate::error::Result;

/// Parameters and running statistics by name.
pub(crate) fn read(backend: &mut dyn Backend, graph: &Graph) -> Result<Vec<(String, Tensor)>> {
    let mut values = vec![];
    for arena in [PARAMS, BUFFERS].into_iter().filter(|name| arena_id(graph, name).is_some()) {
        values.extend(unpack_arena(graph, arena, &backend.read_arena(arena)?)?);
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
pub(crate) fn finite(arenas: &[(String, Tensor)]) -> bool {
    let weights = arenas.iter().filter(|(name, _)| [PARAMS, BUFFERS].contains(&name.as_str()));
    weights.filter_map(|(_, values)| values.as_f32()).flatten().all(|value| value.is_finite())
}
