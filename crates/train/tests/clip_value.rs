//! Clipping of gradients by value.

mod common;

use chiaro_train::{Stop, TrainConfig, Trainer};
use common::{config, cpu, data, model};

const RATE: f64 = 0.5;

/// The largest move of a weight in one step of plain gradient descent.
fn largest_move(clip_value: Option<f64>) -> f64 {
    let sgd = TrainConfig { optimizer: "sgd".parse().expect("known"), momentum: 0.0, weight_decay: 0.0, ..config(1) };
    let (config, data) = (TrainConfig { lr: RATE, batch_size: 50, clip_value, ..sgd }, data());
    let backend = cpu();
    let mut trainer = Trainer::new(backend, &model(&config, &data), &data, &config).expect("built");
    let before = weights(&mut trainer);
    trainer.fit(None, &mut (), &Stop::default()).expect("one step");
    let after = weights(&mut trainer);
    before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn weights(trainer: &mut Trainer) -> Vec<f64> {
    let named = trainer.weights().expect("weights").into_iter().filter(|(name, _)| !name.contains("running"));
    named.flat_map(|(_, values)| values.to_f64()).collect()
}

#[test]
fn no_weight_moves_further_than_the_rate_times_the_limit() {
    let (free, clipped) = (largest_move(None), largest_move(Some(1e-3)));
    assert!(free > 2.0 * RATE * 1e-3, "the limit limits nothing: {free}");
    assert!((clipped / (RATE * 1e-3) - 1.0).abs() < 1e-3, "{clipped}");
}
