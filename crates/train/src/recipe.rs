//! What the settings mean: the training step's options and the learning rate of each step.

use chiaro_nn::{Decay, OptimizerSettings, Optimizers, Schedule, TrainOptions};

use crate::error::Result;
use crate::settings::{ScheduleName, TrainConfig};

/// The options of the training step; an error if the optimizer is not known.
pub(crate) fn train_options(config: &TrainConfig) -> Result<TrainOptions> {
    let TrainConfig { momentum, weight_decay, .. } = *config;
    let optimizer = (config.optimizer.known()?.make)(OptimizerSettings { momentum, weight_decay });
    // Biases and the scales and shifts of normalisation do not decay.
    let optimizers = Optimizers::new(optimizer).decay(Decay::Weights);
    let mut options = TrainOptions::new(config.batch_size, optimizers);
    config.shape(&mut options);
    Ok(options)
}

/// The schedule over the steps of a run.
pub(crate) fn schedule(config: &TrainConfig, steps_per_epoch: usize) -> Schedule {
    let total = (config.epochs * steps_per_epoch) as u64;
    let warmup = ((config.warmup_epochs * steps_per_epoch as f64).round() as u64).min(total);
    let after_warmup = |after: Schedule| match warmup {
        0 => after,
        1.. => Schedule::Then {
            before: Box::new(Schedule::Linear { start: 0.01, end: 1.0, over: warmup }),
            at: warmup,
            after: Box::new(after),
        },
    };
    match config.schedule {
        ScheduleName::Constant => after_warmup(Schedule::Constant),
        ScheduleName::Step => after_warmup(Schedule::Step { every: (total - warmup).div_ceil(3).max(1), gamma: 0.1 }),
        ScheduleName::Cosine => Schedule::warmup_cosine(warmup, total),
        ScheduleName::OneCycle => Schedule::one_cycle(total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chiaro_data::InMemory;
    use chiaro_nn::Sgd;

    fn config(schedule: ScheduleName) -> TrainConfig {
        let set = InMemory::new(vec![0; 4], vec![0], [2, 2, 1], vec!["a".into()]).expect("a data set");
        TrainConfig { schedule, epochs: 4, warmup_epochs: 0.5, lr: 0.1, ..TrainConfig::suited_to("", &set) }
    }

    #[test]
    fn the_steps_options_are_those_of_the_settings() {
        let settings = TrainConfig {
            optimizer: "nesterov".parse().expect("known"),
            momentum: 0.8,
            weight_decay: 0.02,
            clip: Some(2.0),
            batch_size: 3,
            ..config(ScheduleName::Constant)
        };
        let options = train_options(&settings).expect("known");
        let wanted = Optimizers::new(Sgd { momentum: 0.8, nesterov: true, weight_decay: 0.02 }).decay(Decay::Weights);
        assert_eq!(format!("{:?}", options.optimizers), format!("{wanted:?}"));
        assert_eq!((options.gradient_changes.len(), options.batch), (1, 3));
        assert_eq!(options.precision, settings.precision.option());
    }

    #[test]
    fn every_schedule_reaches_the_rate_after_warm_up_and_ends_as_its_name_says() {
        let cases = [
            (ScheduleName::Constant, 50, 0.1),
            (ScheduleName::Step, 50, 0.001),
            (ScheduleName::Cosine, 50, 0.0),
            (ScheduleName::OneCycle, 119, 0.1 / 25.0 / 1e4),
        ];
        for (name, top, last) in cases {
            let schedule = schedule(&config(name), 100);
            assert!(schedule.rate(0.1, 0) < 0.01, "{name:?} starts low");
            assert!((schedule.rate(0.1, top) - 0.1).abs() < 1e-9, "{name:?}: {}", schedule.rate(0.1, top));
            assert!((schedule.rate(0.1, 399) - last).abs() < 1e-5, "{name:?}: {}", schedule.rate(0.1, 399));
        }
    }
}
