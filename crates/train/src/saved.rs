//! A trained model on disk: its weights, what they tell about themselves, and the settings beside them.

use std::path::{Path, PathBuf};

use chiaro_graph::{Backend, Graph};
use chiaro_io::{ModelInfo, Weights, load_weights};
use chiaro_nn::{Model, models};

use crate::error::{Result, TrainError};
use crate::folder::RunFolder;
use crate::run_config::RunConfig;
use crate::weights;

/// Weights with the settings of the run that made them, where these lie beside.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The file of weights.
    pub path: PathBuf,
    /// The settings; absent for weights that lie alone.
    pub config: Option<RunConfig>,
    weights: Weights,
}

impl Saved {
    /// Loads the best weights of a run folder (the last where none are the best yet), or a file of weights.
    ///
    /// # Errors
    /// [`TrainError::NotARun`] says what is missing; or a file cannot be read.
    pub fn load(run_or_weights: &Path) -> Result<Saved> {
        if run_or_weights.is_file() {
            // The parent of a bare file name is the empty path, which is no folder to the system.
            let parent = run_or_weights.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let config = RunFolder::open(parent).ok().map(|folder| folder.config()).transpose()?;
            return Ok(Saved { path: run_or_weights.to_path_buf(), config, weights: load_weights(run_or_weights)? });
        }
        let folder = RunFolder::open(run_or_weights)?;
        let found = [folder.best_path(), folder.last_path()].into_iter().find(|path| path.is_file());
        let path = found.ok_or_else(|| TrainError::NotARun {
            path: run_or_weights.to_path_buf(),
            cause: "no epoch has been saved yet".to_string(),
        })?;
        let weights = load_weights(&path)?;
        Ok(Saved { path, config: Some(folder.config()?), weights })
    }

    /// What the weights tell about their model and its data.
    pub fn info(&self) -> &ModelInfo {
        &self.weights.info
    }

    /// The model, without its weights.
    ///
    /// # Errors
    /// If there is no such model, or it does not fit the images.
    pub fn model(&self) -> Result<Model> {
        let info = self.info();
        Ok(models::by_name(&info.model, info.classes.len(), info.image)?)
    }

    /// Writes the weights to the arenas of a graph of this model, which is compiled for the backend.
    ///
    /// # Errors
    /// If they do not fit, or the device fails.
    pub fn load_into(&self, backend: &mut dyn Backend, graph: &Graph) -> Result<()> {
        weights::load_into(&self.weights, backend, graph)
    }
}
