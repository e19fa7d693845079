//! What updates the parameters: the optimizer, and which parameters it moves how.

use std::collections::BTreeMap;

use chiaro_nn::{Average, Decay, Frozen, Model, OptimizerSettings, Optimizers};

use crate::error::{Result, TrainError};
use crate::parts::Parts;
use crate::settings::TrainConfig;

/// Updates from one look back to the next, as in arXiv:1907.08610 and arXiv:2404.00498.
const LOOKAHEAD_EVERY: u64 = 5;

/// The optimizers of these settings for a model, in epochs of so many steps.
pub(crate) fn optimizers(config: &TrainConfig, model: &Model, steps: usize) -> Result<Optimizers> {
    let TrainConfig { momentum, weight_decay, .. } = *config;
    let optimizer = (config.optimizer.known()?.make)(OptimizerSettings { momentum, weight_decay });
    // Biases and the scales and shifts of normalisation do not decay.
    let all = Optimizers::new(optimizer).decay(Decay::Weights).gather(config.accumulate as u64);
    let updates = |epochs: f64| (epochs * steps as f64 / config.accumulate as f64).round() as u64;
    let parts = Parts::of(model);
    let mut all = with_rates(all, config, &parts);
    if let Some(freeze) = &config.freeze {
        let frozen = freeze.of(&parts.names()).map_err(TrainError::Setting)?;
        let takes =
            move |state: &chiaro_graph::StateInfo| frozen.iter().any(|part| part == parts.of_state(&state.name));
        all = all.freeze(Frozen::new(takes, config.thaw.map(updates)));
    }
    let average = match (config.ema, config.swa, config.lookahead.filter(|share| *share > 0.0)) {
        (Some(keep), _, _) => Some(Average::Exponential { keep }),
        (None, None, Some(keep)) => {
            Some(Average::Lookahead { keep, every: LOOKAHEAD_EVERY, over: updates(config.epochs as f64) })
        }
        (None, Some(epochs), _) => {
            let from = updates(config.epochs.saturating_sub(epochs) as f64);
            Some(Average::Equal { from, every: updates(1.0).max(1) })
        }
        (None, None, None) => None,
    };
    Ok(average.map_or(all.clone(), |average| all.average(average)))
}

/// Rates by depth, and those of biases and of the head.
fn with_rates(all: Optimizers, config: &TrainConfig, parts: &Parts) -> Optimizers {
    let (layer_decay, bias_lr, head_lr) = (config.layer_decay, config.bias_lr, config.head_lr);
    if layer_decay == 1.0 && bias_lr == 1.0 && head_lr == 1.0 {
        return all;
    }
    let parts = parts.clone();
    let names = parts.names();
    let behind = |i: usize| (names.len() - 1 - i) as i32;
    let depths: BTreeMap<String, i32> =
        names.iter().enumerate().map(|(i, part)| (part.to_string(), behind(i))).collect();
    all.rates(move |state| {
        let depth = depths.get(parts.of_state(&state.name)).copied().unwrap_or(0);
        let bias = state.name.rsplit('.').next() == Some("bias");
        layer_decay.powi(depth) * if bias { bias_lr } else { 1.0 } * if depth == 0 { head_lr } else { 1.0 }
    })
}
