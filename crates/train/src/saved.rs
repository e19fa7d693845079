//! A trained model on disk: its weights, what they tell about themselves, and the settings beside them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chiaro_data::Resize;
use chiaro_graph::{Backend, Graph, Tensor};
use chiaro_io::{IoError, ModelInfo, Weights, load_weights, torch};
use chiaro_nn::Model;
use chiaro_onnx::registry::ENDING;

use crate::alone::{alone_note, check_trainable};
use crate::calibration;
use crate::data::resize_of;
use crate::error::{Result, TrainError};
use crate::folder::RunFolder;
use crate::imported::{ImportOptions, Imported, import, is_onnx, is_torch, known_beside};
use crate::imported_torch::import_torch;
use crate::named_model::named_model;
use crate::run_config::RunConfig;
use crate::settings::TrainConfig;
use crate::task::{Calibration, Task};
use crate::weights;

/// Weights with the settings of the run that made them, where these lie beside.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The file of weights.
    pub path: PathBuf,
    /// The settings; absent for weights that lie alone.
    pub config: Option<RunConfig>,
    weights: Weights,
    calibration: Calibration,
    /// Whether nobody told how pixels are normalised.
    guessed: bool,
    /// What of an ONNX file's metadata was not understood.
    notes: Vec<String>,
}

impl Saved {
    /// Loads the best weights of a run folder (the last where none are the best yet), or a file of weights.
    ///
    /// # Errors
    /// [`TrainError::NotARun`] says what is missing, [`TrainError::NoWeights`] that no epoch has ended; or a file cannot be read,
    /// or is damaged.
    pub fn load(run_or_weights: &Path) -> Result<Saved> {
        Saved::load_with(&ImportOptions::default(), run_or_weights)
    }

    /// The same with what an ONNX file may not tell.
    ///
    /// # Errors
    /// Those of [`Saved::load`] and [`Saved::imported`].
    pub fn load_with(options: &ImportOptions, run_or_weights: &Path) -> Result<Saved> {
        if is_onnx(run_or_weights) {
            return Ok(Saved::imported(options, run_or_weights)?.0);
        }
        // Of what is neither file nor folder, such as a pipe, reading tells.
        if run_or_weights.exists() && !run_or_weights.is_dir() {
            let config = RunFolder::open(&RunFolder::of_weights(run_or_weights))
                .ok()
                .map(|folder| folder.config())
                .transpose()?;
            return Saved::of(run_or_weights.to_path_buf(), config);
        }
        let folder = RunFolder::open(run_or_weights)?;
        let found = [folder.best_path(), folder.last_path()].into_iter().find(|path| path.is_file());
        let path = found.ok_or_else(|| TrainError::NoWeights { path: run_or_weights.to_path_buf() })?;
        Saved::of(path, Some(folder.config()?))
    }

    /// What a run of a model begins with: a run, weights of this program's, an ONNX file, or PyTorch's weights for that model; and
    /// notes on what was left out.
    ///
    /// # Errors
    /// Those of [`Saved::load`] and [`Saved::imported_torch`].
    pub fn for_model(options: &ImportOptions, path: &Path, model: &str) -> Result<(Saved, Vec<String>)> {
        if is_torch(path)? {
            Saved::imported_torch(options, path, model)
        } else {
            Ok((Saved::load_with(options, path)?, vec![]))
        }
    }

    fn of(path: PathBuf, config: Option<RunConfig>) -> Result<Saved> {
        let weights = load_weights(&path).map_err(|cause| not_own(&path, cause))?;
        known_beside(&RunFolder::of_weights(&path), &weights.info.model)?;
        let calibration = calibration::told(&path, &weights.extra)?;
        Ok(Saved { path, config, weights, calibration, guessed: false, notes: vec![] })
    }

    /// How outputs are read as probabilities: the temperature that was found at the end of training (1 where none was), and the
    /// probability below which an image is rather of no class.
    pub fn calibration(&self) -> Calibration {
        self.calibration
    }

    /// The tensors by name.
    pub(crate) fn tensors(&self) -> &BTreeMap<String, Tensor> {
        self.weights.tensors()
    }

    /// An ONNX file as it was trained elsewhere, and its file of structure: name and bytes.
    ///
    /// # Errors
    /// If it is no classifier that can be read, or does not fit the images that the options or the file tell.
    pub fn imported(options: &ImportOptions, path: &Path) -> Result<(Saved, String)> {
        let Imported { weights, name, guessed, notes } = import(options, path)?;
        let calibration = calibration::told(path, &weights.extra)?;
        Ok((Saved { path: path.to_path_buf(), config: None, weights, calibration, guessed, notes }, name))
    }

    /// A PyTorch file's weights for a model of this project, and notes on what was left out.
    ///
    /// # Errors
    /// If the file cannot be read, or does not fit the model: what is missing is listed with its extents.
    pub fn imported_torch(options: &ImportOptions, path: &Path, model: &str) -> Result<(Saved, Vec<String>)> {
        let (weights, notes) = import_torch(options, path, model)?;
        let calibration = calibration::told(path, &weights.extra)?;
        Ok((
            Saved { path: path.to_path_buf(), config: None, weights, calibration, guessed: false, notes: vec![] },
            notes,
        ))
    }

    /// Keeps weights that came from elsewhere in a folder as a run leaves it, without epochs.
    ///
    /// # Errors
    /// If it cannot be written to.
    pub fn keep(&self, folder: &RunFolder) -> Result<()> {
        folder.claim()?;
        folder.write_config(&RunConfig::imported(self.info()))?;
        Ok(self.weights.save(&folder.best_path())?)
    }

    /// The tensors by name.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// What the weights tell about their model and its data.
    pub fn info(&self) -> &ModelInfo {
        &self.weights.info
    }

    /// What is to be told of the weights: files that other programs wrote hold no checksum, so that damage would not be seen, or
    /// do not tell how pixels are normalised; a file's model may be one that is asked picture by picture.
    pub fn notes(&self) -> Vec<String> {
        let is_of_file = self.info().model.ends_with(ENDING);
        let model = is_of_file.then(|| self.model().ok()).flatten();
        let alone = model.and_then(|model| alone_note(&self.path, &model));
        self.note().into_iter().chain(self.notes.iter().cloned()).chain(alone).collect()
    }

    /// Whether it can be trained further: a file's model that was made for a fixed number of pictures and mixes them cannot.
    ///
    /// # Errors
    /// If it cannot, or does not fit the images.
    pub fn check_trainable(&self) -> Result<()> {
        check_trainable(&self.model()?)
    }

    fn note(&self) -> Option<String> {
        if self.guessed {
            let (mean, std) = (&self.info().mean, &self.info().std);
            let how = "which are a guess; `chiaro import FILE --mean M --std S` tells others";
            return Some(format!(
                "{} tells no mean and deviation: taken as {mean:?} and {std:?}, {how}",
                self.path.display()
            ));
        }
        let unseen = "holds no checksum, as this program writes it; damage would not be seen";
        (!self.weights.checked).then(|| format!("{} {unseen}", self.path.display()))
    }

    /// Whether nobody told how pixels are normalised: then it is a guess.
    pub fn is_guessed(&self) -> bool {
        self.guessed
    }

    /// How pictures are brought to the model's shape.
    ///
    /// # Errors
    /// If the weights name a way that is not known.
    pub fn resize(&self) -> Result<Resize> {
        resize_of(self.info())
    }

    /// The model, without its weights.
    ///
    /// # Errors
    /// If there is no such model or task, or it does not fit the images.
    pub fn model(&self) -> Result<Model> {
        let info = self.info();
        Ok(named_model(&info.model, info.described.as_deref())?
            .build(self.task()?.outputs(info.classes.len()), info.image)?)
    }

    /// What it was trained for.
    ///
    /// # Errors
    /// If it is a task of another program's own.
    pub fn task(&self) -> Result<Arc<dyn Task>> {
        TrainConfig { task: self.info().task.as_str().into(), ..TrainConfig::default() }.named_task()
    }

    /// Writes the weights to the arenas of a graph of this model, which is compiled for the backend.
    ///
    /// # Errors
    /// If they do not fit, or the device fails.
    pub fn load_into(&self, backend: &mut dyn Backend, graph: &Graph) -> Result<()> {
        weights::load_into(&self.weights, backend, graph)
    }
}

/// What is told of weights that cannot be loaded: those of other programs are to be imported.
fn not_own(path: &Path, cause: IoError) -> TrainError {
    let told = |what: &str| TrainError::Corrupt {
        path: path.to_path_buf(),
        cause: format!("it {what}; `chiaro import FILE --model NAME` makes a folder of it"),
    };
    if torch::is_pickled(path) {
        return told("is a file of PyTorch's");
    }
    match torch::is_own(path) {
        Ok(false) => told("holds weights of another program"),
        Ok(true) | Err(_) => cause.into(),
    }
}
