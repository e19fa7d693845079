//! A trained model on disk: weights and the settings that lie beside them.

use std::path::{Path, PathBuf};

use chiaro_graph::{Backend, Graph};
use chiaro_nn::{Model, models};

use crate::error::{Result, TrainError};
use crate::folder::RunFolder;
use crate::run_config::RunConfig;
use crate::weights;

/// Weights with the settings of the run that made them.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The settings.
    pub config: RunConfig,
    /// The file of weights.
    pub weights: PathBuf,
}

impl Saved {
    /// Finds the best weights of a run folder (the last where none are the best yet), or takes a file of weights in one.
    ///
    /// # Errors
    /// [`TrainError::NotARun`] says what is missing; or `config.json` cannot be read.
    pub fn find(run_or_weights: &Path) -> Result<Saved> {
        let missing = |path: &Path, cause: &str| TrainError::NotARun { path: path.into(), cause: cause.into() };
        if run_or_weights.is_file() {
            // The parent of a bare file name is the empty path, which is no folder to the system.
            let parent = run_or_weights.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let folder = RunFolder::open(parent).map_err(|_| {
                missing(run_or_weights, "there is no config.json beside these weights to tell the model by")
            })?;
            return Ok(Saved { config: folder.config()?, weights: run_or_weights.to_path_buf() });
        }
        let folder = RunFolder::open(run_or_weights)?;
        let found = [folder.best_path(), folder.last_path()].into_iter().find(|path| path.is_file());
        let weights = found.ok_or_else(|| missing(run_or_weights, "no epoch has been saved yet"))?;
        Ok(Saved { config: folder.config()?, weights })
    }

    /// The model, without its weights.
    ///
    /// # Errors
    /// If there is no such model, or it does not fit the images.
    pub fn model(&self) -> Result<Model> {
        let data = &self.config.data;
        Ok(models::by_name(&self.config.settings.model, data.classes.len(), data.image_shape)?)
    }

    /// Writes the weights to the arenas of a graph of this model, which is compiled for the backend.
    ///
    /// # Errors
    /// If the file cannot be read or does not fit, or the device fails.
    pub fn load_into(&self, backend: &mut dyn Backend, graph: &Graph) -> Result<()> {
        weights::load_into(&self.weights, backend, graph)
    }
}
