//! The learning rate over the steps of a run.

use chiaro_nn::{Plateau, Schedule};

use crate::observer::EpochRecord;
use crate::settings::{ScheduleName, TrainConfig};

/// The schedule over the steps of a run. That of a plateau is its warm-up: [`plateau`] has what comes on top.
pub(crate) fn schedule(config: &TrainConfig, steps_per_epoch: usize) -> Schedule {
    let steps = |epochs: f64| (epochs * steps_per_epoch as f64).round() as u64;
    let total = (config.epochs * steps_per_epoch) as u64;
    let warmup = steps(config.warmup_epochs).min(total);
    let left = total - warmup;
    let gamma = config.gamma.unwrap_or(0.1);
    let after = match config.schedule {
        ScheduleName::Constant | ScheduleName::Plateau => Schedule::Constant,
        ScheduleName::Step => {
            let every = config.decay_epochs.map_or(left.div_ceil(3), steps).max(1);
            Schedule::Step { every, gamma }
        }
        ScheduleName::MultiStep => {
            let half = config.epochs as f64 / 2.0;
            let given = config.milestones.as_ref().map_or(vec![half, 1.5 * half], |m| m.0.clone());
            // Milestones are told from the start of the run, the schedule's own time begins after the warm-up.
            let milestones = given.into_iter().map(|epochs| steps(epochs).saturating_sub(warmup)).collect();
            Schedule::MultiStep { milestones, gamma }
        }
        ScheduleName::Exponential => {
            let epochs = left as f64 / steps_per_epoch.max(1) as f64;
            let an_epoch = config.gamma.unwrap_or_else(|| 0.01f64.powf(1.0 / epochs.max(1e-9)));
            Schedule::Exponential { gamma: an_epoch.powf(1.0 / steps_per_epoch.max(1) as f64) }
        }
        ScheduleName::Linear => Schedule::Linear { start: 1.0, end: 0.0, over: left },
        ScheduleName::Cosine => Schedule::Cosine { period: left.max(1), min: 0.0 },
        ScheduleName::Polynomial => Schedule::Polynomial { over: left, power: config.power },
        // Its rise is its warm-up.
        ScheduleName::OneCycle => return Schedule::one_cycle(total),
    };
    match warmup {
        0 => after,
        1.. => Schedule::Then {
            before: Box::new(Schedule::Linear { start: 0.01, end: 1.0, over: warmup }),
            at: warmup,
            after: Box::new(after),
        },
    }
}

/// The factor of the rate after these epochs, with a schedule that falls on plateaus. It is found from the run's table, so that it
/// needs no place of its own in a checkpoint.
pub(crate) fn plateau(config: &TrainConfig, records: &[EpochRecord]) -> f64 {
    if config.schedule != ScheduleName::Plateau {
        return 1.0;
    }
    let start = Plateau {
        factor: config.gamma.unwrap_or(0.1),
        patience: config.lr_patience as u64,
        least_change: 0.0,
        ..Plateau::new(1.0)
    };
    let watched = records.iter().fold(start, |mut plateau, record| {
        plateau.observe(record.eval.loss);
        plateau
    });
    watched.rate
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::Scores;
    use crate::settings::Numbers;

    fn config(schedule: ScheduleName) -> TrainConfig {
        TrainConfig { schedule, epochs: 4, warmup_epochs: 0.5, lr: 0.1, ..TrainConfig::default() }
    }

    #[test]
    fn every_schedule_reaches_the_rate_after_warm_up_and_ends_as_its_name_says() {
        let cases = [
            (ScheduleName::Constant, 50, 0.1),
            (ScheduleName::Step, 50, 0.001),
            (ScheduleName::MultiStep, 50, 0.001),
            (ScheduleName::Exponential, 50, 0.1 * 0.01f64.powf(349.0 / 350.0)),
            (ScheduleName::Linear, 50, 0.1 / 350.0),
            (ScheduleName::Cosine, 50, 0.0),
            (ScheduleName::Polynomial, 50, 0.0),
            (ScheduleName::Plateau, 50, 0.1),
            (ScheduleName::OneCycle, 119, 0.1 / 25.0 / 1e4),
        ];
        for (name, top, last) in cases {
            let schedule = schedule(&config(name), 100);
            assert!(schedule.rate(0.1, 0) < 0.01, "{name:?} starts low");
            assert!((schedule.rate(0.1, top) - 0.1).abs() < 1e-9, "{name:?}: {}", schedule.rate(0.1, top));
            assert!((schedule.rate(0.1, 399) - last).abs() < 1e-5, "{name:?}: {}", schedule.rate(0.1, 399));
        }
    }

    #[test]
    fn falls_come_when_and_by_as_much_as_the_settings_say() {
        let plain = |schedule| TrainConfig { warmup_epochs: 0.0, ..config(schedule) };
        let rates = |config: &TrainConfig, at: [u64; 4]| at.map(|t| schedule(config, 100).rate(0.1, t));
        let close = |got: [f64; 4], want: [f64; 4]| {
            assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-9), "{got:?}, expected {want:?}");
        };
        let step = TrainConfig { decay_epochs: Some(1.5), gamma: Some(0.5), ..plain(ScheduleName::Step) };
        close(rates(&step, [149, 150, 299, 300]), [0.1, 0.05, 0.05, 0.025]);
        let milestones = Some(Numbers(vec![1.0, 3.0]));
        let multi = TrainConfig { milestones, gamma: Some(0.5), warmup_epochs: 0.5, ..plain(ScheduleName::MultiStep) };
        close(rates(&multi, [99, 100, 299, 300]), [0.1, 0.05, 0.05, 0.025]);
        let exponential = TrainConfig { gamma: Some(0.5), ..plain(ScheduleName::Exponential) };
        close(rates(&exponential, [0, 100, 200, 300]), [0.1, 0.05, 0.025, 0.0125]);
        let polynomial = TrainConfig { power: 1.0, ..plain(ScheduleName::Polynomial) };
        close(rates(&polynomial, [0, 100, 200, 300]), [0.1, 0.075, 0.05, 0.025]);
    }

    #[test]
    fn a_plateau_falls_once_the_patience_is_over_and_only_where_it_is_the_schedule() {
        let record = |loss: f64| EpochRecord {
            epoch: 1,
            step: 1,
            train: Scores { loss, measures: vec![] },
            eval: Scores { loss, measures: vec![] },
            lr: 0.1,
            seconds: 1.0,
            images_per_second: 1.0,
        };
        let records: Vec<EpochRecord> = [1.0, 0.5, 0.6, 0.7, 0.8, 0.4, 0.9, 0.9].map(record).into();
        let config = TrainConfig { gamma: Some(0.5), lr_patience: 1, ..config(ScheduleName::Plateau) };
        let factors: Vec<f64> = (0..=records.len()).map(|n| plateau(&config, &records[..n])).collect();
        assert_eq!(factors, [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25]);
        assert_eq!(plateau(&TrainConfig { schedule: ScheduleName::Constant, ..config }, &records), 1.0);
    }
}
