//! Why training, evaluation or prediction stopped, each with what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use chiaro_data::DataError;
use chiaro_graph::{BackendError, GraphError};
use chiaro_nn::NnError;

use crate::number::short;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The data cannot be opened or decoded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model or its training step cannot be built.
    #[error(transparent)]
    Nn(#[from] NnError),
    /// The device failed, or the step does not fit it.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Weights or a checkpoint cannot be read, written, or do not fit the model.
    #[error(transparent)]
    Weights(#[from] chiaro_io::IoError),
    /// An ONNX model cannot be read, or is no classifier.
    #[error("{}: {cause}", path.display())]
    Onnx {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: Box<chiaro_onnx::OnnxError>,
    },
    /// A setting outside its range.
    #[error("{0}")]
    Setting(String),
    /// A run folder cannot be made or written to.
    #[error("cannot write {}: {cause}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// A file of a run folder whose content makes no sense.
    #[error("{}: {cause}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A path that should be a run folder or weights lying in one.
    #[error("{}: {cause}; a run folder holds args.toml and weights, as `chiaro train` leaves them", path.display())]
    NotARun {
        /// The path.
        path: PathBuf,
        /// What is missing.
        cause: String,
    },
    /// A run without weights yet.
    #[error("{}: no epoch of this run has ended yet, so it has no weights; `chiaro train --resume` goes on with it", path.display())]
    NoWeights {
        /// The run folder.
        path: PathBuf,
    },
    /// A new run would overwrite another.
    #[error("{} holds a run already; choose another --out, or go on with it by --resume", path.display())]
    RunExists {
        /// The folder.
        path: PathBuf,
    },
    /// Loss or weights became infinite or NaN.
    #[error(
        "{what} not finite in epoch {epoch}, {}, at learning rate {}; try a learning rate of {}{}",
        steps(*first, *last), short(*lr), short(*try_lr), if *clipped { "" } else { ", or gradients clipped to norm 1" }
    )]
    NonFinite {
        /// `the loss is` or `the weights are`.
        what: &'static str,
        /// Epoch, from 1.
        epoch: usize,
        /// First step of the epoch it may have happened in, from 1.
        first: usize,
        /// Last step of the epoch it may have happened in.
        last: usize,
        /// Learning rate at the last step.
        lr: f64,
        /// A base rate to try instead.
        try_lr: f64,
        /// Whether gradients were clipped.
        clipped: bool,
    },
    /// Another process writes to the run folder.
    #[error("{} is in use by {}; wait for its end, or stop it", path.display(), holder(*process))]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process, where it can be told.
        process: Option<u32>,
    },
    /// Neither the last checkpoint nor the one before it can be used.
    #[error("{first}; nor can the checkpoint before it be used: {second}")]
    NoCheckpoint {
        /// What is wrong with the last one.
        first: String,
        /// What is wrong with the one before it.
        second: String,
    },
    /// The data set's images or classes differ from those the model was trained on.
    #[error("the data has {found}, but the run was trained on {expected}")]
    OtherData {
        /// What the data has.
        found: String,
        /// What the run needs.
        expected: String,
    },
}

fn steps(first: usize, last: usize) -> String {
    if first >= last { format!("at step {last}") } else { format!("between steps {first} and {last}") }
}

fn holder(process: Option<u32>) -> String {
    process.map_or("another process".to_string(), |number| format!("process {number}"))
}

impl From<GraphError> for TrainError {
    fn from(error: GraphError) -> Self {
        Self::Backend(error.into())
    }
}

impl TrainError {
    pub(crate) fn write(path: &Path, cause: io::Error) -> Self {
        Self::Write { path: path.to_path_buf(), cause }
    }

    pub(crate) fn read(path: &Path, cause: io::Error) -> Self {
        Self::Read { path: path.to_path_buf(), cause }
    }

    pub(crate) fn corrupt(path: &Path, cause: impl ToString) -> Self {
        Self::Corrupt { path: path.to_path_buf(), cause: cause.to_string() }
    }

    pub(crate) fn setting(message: impl Into<String>) -> Self {
        Self::Setting(message.into())
    }
}

/// Result of training.
pub type Result<T> = std::result::Result<T, TrainError>;
