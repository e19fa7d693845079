//! PyTorch files: state dicts in both of PyTorch's forms, read by an interpreter that calls nothing.

mod archive;
mod check;
mod find;
mod fit;
mod kind;
mod names;
mod pickle;
mod prefix;
mod zip;

use std::collections::BTreeMap;
use std::path::Path;

use chiaro_graph::Tensor;

use chiaro_nn::Model;

use crate::error::{IoError, Result};
use crate::file::{self, Contents};

use find::Found;
use pickle::{Id, Unpickler};

pub use check::{check_safetensors, is_pickled};
pub use fit::{Fitted, classes_of, fit};

/// Prefixes that wrappers put before all names.
const WRAPPERS: [&str; 2] = ["module.", "_orig_mod."];

/// Elements of all tensors for each byte of a file, at most: where all are 8-bit and some are shared it is more than one.
const SHARED: usize = 2;

/// What a PyTorch file holds.
#[derive(Clone, Debug, Default)]
pub struct StateDict {
    /// The tensors by their names, as floats, in PyTorch's order.
    pub tensors: BTreeMap<String, Tensor>,
    /// Names of what is not read, and what of Python it depends on.
    pub unread: BTreeMap<String, String>,
    /// What is to be told: which of several state dicts was taken.
    pub notes: Vec<String>,
}

/// Reads the state dict of a PyTorch file. What depends on anything of Python but tensors is left out, and told.
///
/// # Errors
/// If the file cannot be read, is neither of PyTorch's forms, holds no state dict or several, or a tensor is not whole.
pub fn read(path: &Path) -> Result<StateDict> {
    let failed = |cause| IoError::Read { path: path.to_path_buf(), cause };
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(IoError::format(path, "it is no file"));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    parse(&bytes).map_err(|detail| IoError::format(path, detail))
}

/// The tensors of [`read`] alone.
///
/// # Errors
/// Those of [`read`].
pub fn load(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    Ok(read(path)?.tensors)
}

/// Writes a model's weights as safetensors with PyTorch's names and order of channels.
///
/// # Errors
/// If the file cannot be written; then a file that was there before is unchanged.
pub fn save(path: &Path, model: &Model, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    let metadata = BTreeMap::from([("format".to_string(), "pt".to_string())]);
    file::write(path, None, &Contents { tensors: fit::unfit(model, tensors), metadata })
}

/// The tensors of a safetensors file of another program's, as [`load`] gives them.
///
/// # Errors
/// If the file cannot be read, or is damaged.
pub fn load_safetensors(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    Ok(file::read_floats(path)?.tensors)
}

/// Whether this program wrote a safetensors file.
///
/// # Errors
/// If the file cannot be read, or is damaged.
pub fn is_own(path: &Path) -> Result<bool> {
    Ok(file::read_floats(path)?.metadata.contains_key("chiaro"))
}

/// What ends the names of norms' statistics, which some averages of weights leave out.
const STATISTICS: [&str; 2] = [".running_mean", ".running_var"];

/// A name without the prefixes of wrappers.
fn unwrapped(mut name: &str) -> &str {
    while let Some(rest) = WRAPPERS.iter().find_map(|w| name.strip_prefix(w)) {
        name = rest;
    }
    name
}

/// The values of the state dict by their names. Averages that have no statistics of norms get those of the weights beside them, which is told.
fn entries_of(machine: &Unpickler, found: &Found, notes: &mut Vec<String>) -> BTreeMap<String, Id> {
    let named =
        |at: Id| find::entries(machine, at).into_iter().map(|(name, value)| (unwrapped(&name).to_string(), value));
    let mut entries: BTreeMap<String, Id> = named(found.at).collect();
    if let Some((beside, key)) = &found.beside {
        let is_absent = |name: &str| STATISTICS.iter().any(|end| name.ends_with(end)) && !entries.contains_key(name);
        let absent: Vec<(String, Id)> = named(*beside).filter(|(name, _)| is_absent(name)).collect();
        if !absent.is_empty() {
            notes.push(format!(
                "the averages have no statistics of norms: {} of them are those of its {key}",
                absent.len()
            ));
        }
        entries.extend(absent);
    }
    entries
}

/// The same of a file's bytes.
fn parse(bytes: &[u8]) -> std::result::Result<StateDict, String> {
    let archive = archive::open(bytes)?;
    let machine = &archive.machine;
    let found = find::find(machine, archive.root)?;
    // Tensors may share a storage: a few bytes each could ask for all of it again and again.
    let mut room = bytes.len().saturating_mul(SHARED);
    let mut state = StateDict { notes: found.note.clone().into_iter().collect(), ..StateDict::default() };
    for (name, value) in entries_of(machine, &found, &mut state.notes) {
        if let Some(view) = machine.tensor(value) {
            let told = |detail: String| format!("its tensor {name:?} {detail}");
            let tensor = archive.tensor(view).map_err(told)?;
            let left = room.checked_sub(tensor.data().len());
            room =
                left.ok_or_else(|| told(format!("and those before have {SHARED} times the elements of the file")))?;
            state.tensors.insert(name, tensor);
        } else if let Some(what) = machine.opaque(value) {
            state.unread.insert(name, what.to_string());
        }
    }
    Ok(state)
}
