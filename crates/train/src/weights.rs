//! Weights and checkpoints: values of the device's arenas to files and back.

use std::collections::BTreeMap;
use std::path::Path;

use chiaro_graph::{Backend, Graph, Tensor};
use chiaro_io::{ModelInfo, Progress, Weights, load_checkpoint, save_checkpoint};
use chiaro_nn::{BUFFERS, PARAMS, TrainStep, arena_id, unpack_arena};

use crate::error::{Result, TrainError};
use crate::position::Position;

/// Key of the position within a checkpoint's metadata.
const POSITION: &str = "position";

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

/// Saves all arenas and the position.
pub(crate) fn save(
    path: &Path,
    info: &ModelInfo,
    seed: u64,
    at: &Position,
    graph: &Graph,
    arenas: &[(String, Tensor)],
) -> Result<()> {
    let position = serde_json::to_string(at).map_err(|cause| TrainError::corrupt(path, cause))?;
    let extra = BTreeMap::from([(POSITION.to_string(), position)]);
    let progress = Progress { step: at.step, epoch: at.epoch as u64, seed, extra };
    Ok(save_checkpoint(path, info, &progress, graph, arenas)?)
}

/// Loads all arenas into the backend and gives the position.
pub(crate) fn load(path: &Path, info: &ModelInfo, backend: &mut dyn Backend, step: &TrainStep) -> Result<Position> {
    let checkpoint = load_checkpoint(path)?;
    if checkpoint.weights.info != *info {
        let message = "it is a checkpoint of another model or other data than config.json beside it tells";
        return Err(TrainError::corrupt(path, message));
    }
    let missing = || TrainError::corrupt(path, "it does not tell where in the epoch the run stood");
    let position = checkpoint.progress.extra.get(POSITION).ok_or_else(missing)?;
    let at = serde_json::from_str(position).map_err(|cause| TrainError::corrupt(path, cause))?;
    for (arena, values) in checkpoint.arenas(&step.graph)? {
        backend.write_arena(&arena, &values)?;
    }
    Ok(at)
}
