//! The settings that suit a data set.

use std::path::PathBuf;

use chiaro_data::Dataset;

use super::TrainConfig;

impl TrainConfig {
    /// Settings that suit a training set: model, batch size and length of the run by its images' shape and number.
    pub fn suited_to(data: impl Into<PathBuf>, train: &dyn Dataset) -> TrainConfig {
        let [height, width, _] = train.image_shape();
        let (model, epochs) = match height.max(width) {
            0..=28 => ("small-cnn", 3),
            29..=40 => ("resnet20", 30),
            41.. => ("tutorial-cnn", 15),
        };
        // A small set needs small batches to make enough steps.
        let batch_size = (train.len() / 20).next_power_of_two().clamp(8, 128).min(train.len().max(1));
        TrainConfig { data: data.into(), model: model.to_string(), epochs, batch_size, ..TrainConfig::default() }
    }
}
