//! What the settings mean: the training step's options and the learning rate of each step.

mod optimizers;
mod schedule;

pub(crate) use optimizers::optimizers;
pub(crate) use schedule::{plateau, schedule};

use chiaro_nn::{Model, TrainOptions};

use crate::error::Result;
use crate::settings::TrainConfig;

/// The options of the training step for a model, in epochs of so many steps.
///
/// # Errors
/// If the optimizer is not known, or parts of the model are named that it has not.
pub(crate) fn train_options(config: &TrainConfig, model: &Model, steps: usize) -> Result<TrainOptions> {
    let mut options = TrainOptions::new(config.batch_size, optimizers(config, model, steps)?);
    config.shape(&mut options);
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chiaro_nn::{Decay, Optimizers, Sgd};

    #[test]
    fn the_steps_options_are_those_of_the_settings() {
        let settings = TrainConfig {
            optimizer: "nesterov".parse().expect("known"),
            momentum: 0.8,
            weight_decay: 0.02,
            clip: Some(2.0),
            batch_size: 3,
            ..TrainConfig::default()
        };
        let model = chiaro_nn::models::by_name("mlp", 2, [2, 2, 1]).expect("fits");
        let options = train_options(&settings, &model, 10).expect("known");
        let wanted = Optimizers::new(Sgd { momentum: 0.8, nesterov: true, weight_decay: 0.02 }).decay(Decay::Weights);
        assert_eq!(format!("{:?}", options.optimizers), format!("{wanted:?}"));
        assert_eq!((options.gradient_changes.len(), options.batch), (1, 3));
        assert_eq!(options.precision, settings.precision.option());
    }
}
