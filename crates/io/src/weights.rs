//! Weight files: parameters and running statistics of a model.

use crate::checksum::Checksum;
use crate::error::{IoError, Result};
use crate::file::{self, Contents};
use crate::info::{ModelInfo, extra, verify};
use chiaro_graph::{Backend, BackendError, Graph, Saved, Tensor};
use chiaro_nn::{arena_id, arenas_saved, pack_arena, unpack_arena};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A weight file in memory.
#[derive(Clone, Debug)]
pub struct Weights {
    /// What the file says about its model.
    pub info: ModelInfo,
    /// Whether the file holds a checksum, which is right then: files that other programs wrote may have none.
    pub checked: bool,
    /// What else the file tells.
    pub extra: BTreeMap<String, String>,
    path: PathBuf,
    tensors: BTreeMap<String, Tensor>,
}

/// Reads the arenas of a graph that outlive a step, metrics and data left out, as [`save_weights`] and
/// [`crate::save_checkpoint`] take them.
///
/// # Errors
/// Those of the backend.
pub fn read_arenas(
    backend: &mut dyn Backend,
    graph: &Graph,
) -> std::result::Result<Vec<(String, Tensor)>, BackendError> {
    let kept = graph.arenas().iter().filter(|arena| arena.role.saved() != Saved::Nowhere);
    kept.map(|arena| Ok((arena.name.clone(), backend.read_arena(&arena.name)?))).collect()
}

/// Saves parameters and running statistics as f32. `arenas` holds flat vectors by arena name; others are ignored. `extra` is what
/// else the file shall tell.
///
/// # Errors
/// If `arenas` does not fit the graph, a value is not finite, or the file cannot be written; then a file that was there before
/// is unchanged.
pub fn save_weights(
    path: &Path,
    info: &ModelInfo,
    extra: &BTreeMap<String, String>,
    graph: &Graph,
    arenas: &[(String, Tensor)],
) -> Result<()> {
    let tensors = weight_tensors(graph, arenas)?;
    check_finite(path, &tensors)?;
    file::write(path, None, &Contents { tensors, metadata: info.to_metadata(extra) })
}

/// Reads a weight file, or the weights of a checkpoint.
///
/// # Errors
/// If the file cannot be read, is damaged, was not written by this program, or holds weights that are not finite.
pub fn load_weights(path: &Path) -> Result<Weights> {
    let (contents, checksum) = file::read(path)?;
    Ok(Weights::from_contents(path, contents, checksum)?.0)
}

impl Weights {
    /// Splits a file into its weights and the rest: tensors of the optimizer, and the metadata.
    pub(crate) fn from_contents(path: &Path, contents: Contents, checksum: Checksum) -> Result<(Weights, Contents)> {
        let Contents { tensors, metadata } = contents;
        let checked = verify(path, &metadata, checksum)?;
        let info = ModelInfo::from_metadata(path, &metadata)?;
        let (slots, tensors) = tensors.into_iter().partition(|(name, _)| name.contains('/'));
        check_finite(path, &tensors)?;
        let extra = extra(&metadata);
        let weights = Weights { info, checked, extra, path: path.to_path_buf(), tensors };
        Ok((weights, Contents { tensors: slots, metadata }))
    }

    /// Weights that come from elsewhere than a file of this program's.
    ///
    /// # Errors
    /// If a value is infinite or NaN.
    pub fn of(path: &Path, info: ModelInfo, tensors: BTreeMap<String, Tensor>) -> Result<Weights> {
        check_finite(path, &tensors)?;
        Ok(Weights { info, checked: true, extra: BTreeMap::new(), path: path.to_path_buf(), tensors })
    }

    /// Saves them as a file of this program's.
    ///
    /// # Errors
    /// If the file cannot be written; then a file that was there before is unchanged.
    pub fn save(&self, path: &Path) -> Result<()> {
        let contents = Contents { tensors: self.tensors.clone(), metadata: self.info.to_metadata(&self.extra) };
        file::write(path, None, &contents)
    }

    /// The tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// The flat vectors of the graph's parameters and running statistics, by arena name.
    ///
    /// # Errors
    /// If a tensor is missing, has another shape, or is unknown to the graph; the first few are listed.
    pub fn arenas(&self, graph: &Graph) -> Result<Vec<(String, Tensor)>> {
        let present: Vec<&str> = arenas_saved(graph, Saved::Weights).map(|(arena, _)| arena.name.as_str()).collect();
        let states = present.iter().flat_map(|arena| state_shapes(graph, arena));
        check(&self.path, states.collect(), &self.tensors)?;
        let flat = |arena: &&str| Ok((arena.to_string(), pack_arena(graph, arena, |name| self.tensors.get(name))?));
        present.iter().map(flat).collect()
    }
}

/// Refuses weights that are infinite or NaN.
pub(crate) fn check_finite(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    for (name, values) in tensors.iter().filter_map(|(name, tensor)| Some((name, tensor.as_f32()?))) {
        if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
            return Err(IoError::NotFinite { path: path.to_path_buf(), tensor: name.clone(), value });
        }
    }
    Ok(())
}

/// Names and shapes of an arena's states.
pub(crate) fn state_shapes<'g>(graph: &'g Graph, arena: &str) -> Vec<(String, &'g [usize])> {
    let id = arena_id(graph, arena);
    let own = graph.states().iter().filter(|s| Some(s.arena) == id);
    own.map(|s| (s.name.clone(), &s.shape[..])).collect()
}

/// Parameters and running statistics by name.
pub(crate) fn weight_tensors(graph: &Graph, arenas: &[(String, Tensor)]) -> Result<BTreeMap<String, Tensor>> {
    let mut tensors = BTreeMap::new();
    for (arena, _) in arenas_saved(graph, Saved::Weights) {
        tensors.extend(unpack_arena(graph, &arena.name, values(arenas, &arena.name)?)?);
    }
    Ok(tensors)
}

/// The vector of an arena.
pub(crate) fn values<'a>(arenas: &'a [(String, Tensor)], name: &str) -> Result<&'a Tensor> {
    let missing = || chiaro_nn::NnError::Arena(format!("no values of the arena {name:?} were given"));
    Ok(arenas.iter().find(|(n, _)| n == name).map(|(_, t)| t).ok_or_else(missing)?)
}

/// Compares a file's tensors with the wanted names and shapes.
pub(crate) fn check(path: &Path, wanted: Vec<(String, &[usize])>, found: &BTreeMap<String, Tensor>) -> Result<()> {
    let names: BTreeMap<&str, &[usize]> = wanted.iter().map(|(name, shape)| (name.as_str(), *shape)).collect();
    let missing: Vec<String> =
        names.keys().filter(|name| !found.contains_key(**name)).map(ToString::to_string).collect();
    let unknown: Vec<String> = found.keys().filter(|name| !names.contains_key(name.as_str())).cloned().collect();
    let differs = |(name, tensor): (&String, &Tensor)| {
        let want = names.get(name.as_str()).filter(|want| **want != tensor.shape())?;
        Some(format!("{name} is {:?} instead of {want:?}", tensor.shape()))
    };
    let shapes: Vec<String> = found.iter().filter_map(differs).collect();
    let lists = [("missing", missing), ("unknown", unknown), ("of another shape", shapes)];
    let parts: Vec<String> =
        lists.iter().filter(|(_, l)| !l.is_empty()).map(|(what, l)| format!("{what}: {}", first_few(l))).collect();
    if parts.is_empty() {
        return Ok(());
    }
    Err(IoError::Mismatch { path: path.to_path_buf(), detail: parts.join("; ") })
}

fn first_few(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}
