//! Models that came as ONNX files and do not keep the pictures of a batch apart: they are asked about one picture at a time.

use std::path::Path;

use chiaro_nn::Model;
use chiaro_onnx::registry::{self, Batches};

use crate::error::{Result, TrainError};

/// How many of so many pictures a model takes at a time: all, or one, if it came as a file that is not seen to keep them apart.
pub fn at_once(model: &Model, pictures: usize) -> usize {
    match registry::batches(&model.name, model.image) {
        Batches::Any => pictures,
        Batches::OpenAlone | Batches::FixedAlone => 1,
    }
}

/// Refuses to train a model that does not keep pictures apart and was made for a fixed number of them.
pub(crate) fn check_trainable(model: &Model) -> Result<()> {
    match registry::batches(&model.name, model.image) {
        Batches::Any | Batches::OpenAlone => Ok(()),
        Batches::FixedAlone => Err(TrainError::setting(format!(
            "{} was made for a fixed number of pictures at a time and does not keep those of a batch apart, so that it cannot be trained: \
             export it with an open batch",
            model.name
        ))),
    }
}

/// What is told of a model that is asked picture by picture.
pub(crate) fn alone_note(path: &Path, model: &Model) -> Option<String> {
    let why = match registry::batches(&model.name, model.image) {
        Batches::Any => return None,
        Batches::FixedAlone => {
            "was made for a fixed number of pictures at a time, and is not seen to keep those of a batch apart"
        }
        Batches::OpenAlone => "is not seen to keep the pictures of a batch apart",
    };
    Some(format!("{} {why}: it is asked about one picture at a time", path.display()))
}
