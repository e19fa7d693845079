//! The settings that suit a data set.

use std::path::PathBuf;

use chiaro_data::Dataset;

use super::{TaskName, TrainConfig};
use crate::task::MULTI_LABEL;

impl TrainConfig {
    /// Settings that suit a training set: task by its labels, model, batch size and length of the run by its images' shape and number.
    pub fn suited_to(data: impl Into<PathBuf>, train: &dyn Dataset) -> TrainConfig {
        let [height, width, _] = train.image_shape();
        let (model, epochs) = match height.max(width) {
            0..=28 => ("small-cnn", 3),
            29..=40 => ("resnet20", 30),
            41.. => ("tutorial-cnn", 15),
        };
        // A small set needs small batches to make enough steps.
        let batch_size = (train.len() / 20).next_power_of_two().clamp(8, 128).min(train.len().max(1));
        let task = if shows_several(train) { MULTI_LABEL.into() } else { TaskName::default() };
        TrainConfig { data: data.into(), task, model: model.to_string(), epochs, batch_size, ..TrainConfig::default() }
    }
}

/// Whether any image shows several of the classes, or none of them.
pub(crate) fn shows_several(set: &dyn Dataset) -> bool {
    let classes = set.classes().len();
    (0..set.len()).map(|image| set.values(image)).any(|shown| {
        let is_list = shown.len() == classes && shown.iter().all(|value| *value == 0.0 || *value == 1.0);
        is_list && shown.iter().sum::<f32>() != 1.0
    })
}
