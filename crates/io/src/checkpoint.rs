//! Checkpoints: weights, the optimizer's vectors and where the training stood, so that it goes on as if never stopped.

use crate::error::{IoError, Result};
use crate::file::{self, Contents};
use crate::info::{ModelInfo, number};
use crate::weights::{Weights, check, check_finite, state_shapes, values, weight_tensors};
use chiaro_graph::{Graph, Saved, Tensor};
use chiaro_nn::{arenas_saved, pack_arena, unpack_arena};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where a training stands. Random numbers are functions of seed and step, so these are all the state they need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Epochs done.
    pub epoch: u64,
    /// Seed of initial values, shuffling and dropout.
    pub seed: u64,
    /// What else the training loop wants to find again, such as the best accuracy so far.
    pub extra: BTreeMap<String, String>,
}

/// A checkpoint in memory.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Model and weights.
    pub weights: Weights,
    /// Where the training stood.
    pub progress: Progress,
    path: PathBuf,
    slots: BTreeMap<String, Tensor>,
}

/// The arenas that checkpoints hold beside the weights, each with the arena whose layout it has.
fn slots(graph: &Graph) -> impl Iterator<Item = (&str, &str)> {
    arenas_saved(graph, Saved::Checkpoint).map(|(arena, layout)| (arena.name.as_str(), layout.name.as_str()))
}

/// Saves everything that a training needs to go on, and keeps the checkpoint that was there before as `previous`; `arenas` as [`crate::read_arenas`] gives them. A parameter's part of an
/// optimizer vector is named `<arena>/<parameter>`, the loss scale `loss_scale/loss_scale`.
///
/// # Errors
/// If `arenas` does not fit the graph, a weight is not finite, or the file cannot be written; then a file that was there before
/// is unchanged.
pub fn save_checkpoint(
    path: &Path,
    previous: Option<&Path>,
    info: &ModelInfo,
    progress: &Progress,
    graph: &Graph,
    arenas: &[(String, Tensor)],
) -> Result<()> {
    let mut tensors = weight_tensors(graph, arenas)?;
    check_finite(path, &tensors)?;
    for (slot, layout) in slots(graph) {
        let parts = unpack_arena(graph, layout, values(arenas, slot)?)?;
        tensors.extend(parts.into_iter().map(|(name, part)| (format!("{slot}/{name}"), part)));
    }
    let mut metadata = info.to_metadata(&progress.extra);
    for (key, value) in [("step", progress.step), ("epoch", progress.epoch), ("seed", progress.seed)] {
        metadata.insert(key.to_string(), value.to_string());
    }
    file::write(path, previous, &Contents { tensors, metadata })
}

/// Reads a checkpoint.
///
/// # Errors
/// If the file cannot be read, is damaged, holds weights alone, or has no checksum.
pub fn load_checkpoint(path: &Path) -> Result<Checkpoint> {
    let (contents, checksum) = file::read(path)?;
    let (weights, Contents { tensors: slots, metadata }) = Weights::from_contents(path, contents, checksum)?;
    if !metadata.contains_key("step") {
        return Err(IoError::format(path, "it holds weights alone, so a training cannot go on from it"));
    }
    if !weights.checked {
        return Err(IoError::format(path, "it has no checksum, so a training cannot trust it"));
    }
    let progress = Progress {
        step: number(path, &metadata, "step")?,
        epoch: number(path, &metadata, "epoch")?,
        seed: number(path, &metadata, "seed")?,
        extra: weights.extra.clone(),
    };
    Ok(Checkpoint { weights, progress, path: path.to_path_buf(), slots })
}

impl Checkpoint {
    /// The flat vectors of all arenas of the training graph but the metrics, by name.
    ///
    /// # Errors
    /// If tensors are missing, unknown or of another shape: another model, optimizer or precision.
    pub fn arenas(&self, graph: &Graph) -> Result<Vec<(String, Tensor)>> {
        let mut arenas = self.weights.arenas(graph)?;
        let part = |slot: &str, name: &str| format!("{slot}/{name}");
        let parts = |(slot, layout)| {
            state_shapes(graph, layout).into_iter().map(move |(name, shape)| (part(slot, &name), shape))
        };
        check(&self.path, slots(graph).flat_map(parts).collect(), &self.slots)?;
        for (slot, layout) in slots(graph) {
            let flat = pack_arena(graph, layout, |name| self.slots.get(&part(slot, name)))?;
            arenas.push((slot.to_string(), flat));
        }
        Ok(arenas)
    }
}
