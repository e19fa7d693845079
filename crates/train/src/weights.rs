//! Weights and checkpoints: values of the device's arenas to files and back.

use std::collections::HashMap;
use std::path::Path;

use chiaro_graph::{Backend, DType, Graph, Tensor};
use chiaro_nn::{BUFFERS, METRICS, PARAMS, TrainStep, arena_id, pack_arena, unpack_arena};

use crate::error::{Result, TrainError};
use crate::file::write_whole;
use crate::position::Position;

/// Parameters and running statistics by name.
pub(crate) fn read(backend: &mut dyn Backend, graph: &Graph) -> Result<Vec<(String, Tensor)>> {
    let mut values = vec![];
    for arena in [PARAMS, BUFFERS].into_iter().filter(|name| arena_id(graph, name).is_some()) {
        values.extend(unpack_arena(graph, arena, &backend.read_arena(arena)?)?);
    }
    Ok(values)
}

pub(crate) fn save(path: &Path, values: &[(String, Tensor)]) -> Result<()> {
    write(path, values, None)
}

fn write(path: &Path, values: &[(String, Tensor)], meta: Option<HashMap<String, String>>) -> Result<()> {
    let raw: Vec<(String, Vec<u8>, Vec<usize>)> = values
        .iter()
        .map(|(n, t)| {
            (n.clone(), t.as_f32().unwrap_or(&[]).iter().flat_map(|v| v.to_le_bytes()).collect(), t.shape().to_vec())
        })
        .collect();
    let views = raw.iter().filter_map(|(n, b, s)| {
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, s.clone(), b).ok().map(|v| (n.clone(), v))
    });
    let bytes = safetensors::serialize(views, meta).map_err(|e| TrainError::corrupt(path, e))?;
    write_whole(path, &bytes)
}

fn load(path: &Path) -> Result<(HashMap<String, Tensor>, HashMap<String, String>)> {
    let bytes = std::fs::read(path).map_err(|e| TrainError::read(path, e))?;
    let (_, meta) = safetensors::SafeTensors::read_metadata(&bytes).map_err(|e| TrainError::corrupt(path, e))?;
    let file = safetensors::SafeTensors::deserialize(&bytes).map_err(|e| TrainError::corrupt(path, e))?;
    let values = file
        .iter()
        .filter_map(|(n, v)| {
            let data = v.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            Tensor::f32(v.shape(), data).map(|t| (n.to_string(), t))
        })
        .collect();
    Ok((values, meta.metadata().clone().unwrap_or_default()))
}

/// Loads a file of weights into the backend's arenas.
pub(crate) fn load_into(path: &Path, backend: &mut dyn Backend, graph: &Graph) -> Result<()> {
    let (values, _) = load(path)?;
    for arena in [PARAMS, BUFFERS].into_iter().filter(|name| arena_id(graph, name).is_some()) {
        let flat = pack_arena(graph, arena, |name| values.get(name)).map_err(|e| TrainError::corrupt(path, e))?;
        backend.write_arena(arena, &flat)?;
    }
    Ok(())
}

pub(crate) fn save_checkpoint(path: &Path, backend: &mut dyn Backend, step: &TrainStep, at: &Position) -> Result<()> {
    let mut values = vec![];
    for arena in step.graph.arenas().iter().filter(|a| a.name != METRICS && a.dtype == DType::F32) {
        values.push((arena.name.clone(), backend.read_arena(&arena.name)?));
    }
    let json = serde_json::to_string(at).map_err(|e| TrainError::corrupt(path, e))?;
    write(path, &values, Some(HashMap::from([("position".to_string(), json)])))
}

pub(crate) fn load_checkpoint(path: &Path, backend: &mut dyn Backend, step: &TrainStep) -> Result<Position> {
    let (values, meta) = load(path)?;
    let json = meta.get("position").ok_or_else(|| TrainError::corrupt(path, "no position"))?;
    let at = serde_json::from_str(json).map_err(|e| TrainError::corrupt(path, e))?;
    for arena in step.graph.arenas().iter().filter(|a| a.name != METRICS) {
        let v = values.get(&arena.name).ok_or_else(|| TrainError::corrupt(path, "an arena is missing"))?;
        backend.write_arena(&arena.name, v)?;
    }
    Ok(at)
}
