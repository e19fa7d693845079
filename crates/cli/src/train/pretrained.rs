//! `--pretrained`: the weights that a run begins with, by the name of its model, or from a file or folder.

use std::path::PathBuf;

use chiaro::train::{ImportOptions, Saved, TrainConfig, holds_torch_weights};

use super::begin::elsewhere;
use crate::output::note;
use crate::overrides::Overrides;
use crate::usage::Usage;
use crate::waiting::Waiting;

/// The model where none was named: small enough for a CPU.
const USUAL: &str = "efficientnet-lite0";

/// Finds the weights, and puts their model and their place among the settings. `what` is a path, or empty for the weights that are
/// known for the model.
///
/// # Errors
/// If there are none, they cannot be had, or are not of this model.
pub fn find(what: &str, given: &Overrides, asked: &mut TrainConfig, offline: bool) -> anyhow::Result<Saved> {
    if what.is_empty() {
        return known(given, asked, offline);
    }
    let path = PathBuf::from(what);
    if !path.exists() {
        let detail = format!(
            "--pretrained={what}: there is no such file or folder; --pretrained alone takes the weights that are known for the model"
        );
        return Err(Usage(detail).into());
    }
    if given.is_given("model") {
        let options = ImportOptions { size: asked.size, ..ImportOptions::default() };
        let (saved, notes) = Saved::for_model(&options, &path, &asked.model)?;
        notes.iter().for_each(|text| note(&format!("note: {text}")));
        if saved.info().model != asked.model {
            let detail =
                format!("{what} has the weights of {}, not of {}: leave --model out", saved.info().model, asked.model);
            return Err(Usage(detail).into());
        }
        asked.init = Some(path);
        return Ok(saved);
    }
    asked.model = what.to_string();
    match elsewhere(asked) {
        Ok(Some(saved)) => Ok(saved),
        Ok(None) => Err(Usage(format!("--pretrained={what}: it is a model without weights")).into()),
        Err(error) if holds_torch_weights(&path) => {
            Err(error.context(format!("{what} holds weights of PyTorch's: name their model with --model")))
        }
        Err(error) => Err(error),
    }
}

/// The weights of the table, downloaded if they are not here.
fn known(given: &Overrides, asked: &mut TrainConfig, offline: bool) -> anyhow::Result<Saved> {
    if !given.is_given("model") {
        asked.model = USUAL.to_string();
    }
    let name = chiaro::train::named_model(&asked.model, None)?.name;
    let weights = chiaro_fetch::pretrained(&name)?;
    let waiting = Waiting::new(format!("looking for {}", weights.repository));
    let mut tell = |_: &str, done: u64, of: u64| {
        let [done, of] = [done, of].map(|bytes| bytes as f64 / 1e6);
        waiting.says(format!("downloading {}: {done:.1} of {of:.1} MB", weights.repository));
    };
    let found = weights.fetch(chiaro::gpu::user_cache_folder().as_deref(), offline, &mut tell)?;
    drop(waiting);
    let checked = match (found.new, found.told) {
        (true, true) => "its SHA-256 is the one that the hub tells",
        (false, true) => "its SHA-256 is the one that the hub told",
        (true, false) => "nobody tells its SHA-256, so that only its size is known to be right",
        (false, false) => "it is as it was downloaded; nobody told its SHA-256",
    };
    note(&format!(
        "weights: {} ({}), {}; {checked} ({}…)",
        weights.repository,
        weights.licence,
        found.path.display(),
        &found.sha256[..8]
    ));
    let options = ImportOptions {
        size: asked.size.or(Some([weights.size; 2])),
        mean: Some(weights.mean.to_vec()),
        std: Some(weights.std.to_vec()),
        eps: weights.eps,
        ..ImportOptions::default()
    };
    let (saved, notes) = Saved::imported_torch(&options, &found.path, &name)?;
    notes.iter().for_each(|text| note(&format!("note: {text}")));
    (asked.model, asked.init) = (name, Some(found.path));
    Ok(saved)
}
