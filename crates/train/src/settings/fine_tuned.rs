//! The settings that suit a run which begins with weights that were trained before: a new head first, then all, at a low rate.

use chiaro_nn::{DeclaredState, Model, StateKind};

use super::{Augmentation, Freeze, NormsName, OptimizerName, TrainConfig};
use crate::compile::model_for;
use crate::data::Data;
use crate::error::Result;
use crate::new_head::head_of;
use crate::parts::Parts;
use crate::saved::Saved;

/// Looks at images that weights of others need to learn a small set.
const LOOKS: usize = 5_000;
/// Epochs that any set gets.
const LEAST: usize = 4;
/// Share of the run in which the head is trained alone: before that its gradients are noise to what lies below.
const ALONE: f64 = 0.2;

impl TrainConfig {
    /// Changes settings that suit the data to such as suit a model that begins with these weights, its own or another's.
    ///
    /// # Errors
    /// If their model does not fit the data.
    pub fn suit_weights(&mut self, model: &str, saved: &Saved, data: &Data) -> Result<()> {
        self.model = model.to_string();
        let model = model_for(self, data)?;
        let images = data.train.len().max(1);
        let TrainConfig { momentum, bias_lr, lookahead, .. } = TrainConfig::default();
        (self.momentum, self.bias_lr, self.lookahead) = (momentum, bias_lr, lookahead);
        self.optimizer = OptimizerName::default();
        (self.lr, self.layer_decay, self.weight_decay) = (RATE, LAYER_DECAY, WEIGHT_DECAY);
        self.head_lr = HEAD;
        self.epochs = (LOOKS / images + LEAST).min(30);
        (self.schedule, self.warmup_epochs) = (super::ScheduleName::Cosine, 0.5);
        // Of 100 photos of flowers, after training on 415, "medium" names five more rightly than "light"; stronger changes do no better.
        let changes = if data.train.image_shape()[2] == 3 { "medium" } else { "light" };
        self.augment = changes.parse::<Augmentation>().unwrap_or_default();
        self.label_smoothing = 0.1;
        self.suit_task();
        self.norms = if all_statistics(&model, saved) { NormsName::Still } else { NormsName::Batch };
        let head = if self.new_head { head_of(&model)? } else { vec![] };
        self.freeze = all_but_head(&model, saved, &head);
        self.thaw = self.freeze.is_some().then_some((self.epochs as f64 * ALONE).round().max(1.0));
        Ok(())
    }
}

/// The largest rate, and how many times as much the new head gets, which has everything to learn.
const HEAD: f64 = 20.0;
const RATE: f64 = 3e-4;
/// Each part's rate by that of the part behind it.
const LAYER_DECAY: f64 = 0.9;
const WEIGHT_DECAY: f64 = 0.01;

/// Whether the weights have the running statistics of every norm.
fn all_statistics(model: &Model, saved: &Saved) -> bool {
    let mut running = model.declared().states.iter().filter(|state| state.kind == StateKind::Statistic);
    running.all(|state| fits(state, saved))
}

/// Whether the weights have it, in its shape.
fn fits(state: &DeclaredState, saved: &Saved) -> bool {
    saved.tensors().get(&state.name).is_some_and(|tensor| tensor.shape() == state.shape)
}

/// The parts that keep the weights which they are given, which those of a new head do not; all but the last where all of them do. Nothing,
/// where that would be all or none.
fn all_but_head(model: &Model, saved: &Saved, head: &[String]) -> Option<Freeze> {
    let parameters: Vec<_> = model.declared().states.iter().filter(|s| s.kind == StateKind::Parameter).collect();
    let all = Parts::of(model);
    let parts = all.names();
    let is_new = |state: &DeclaredState| !fits(state, saved) || head.contains(&state.name);
    let new = all.of_states(parameters.iter().filter(|s| is_new(s)).map(|s| s.name.as_str()));
    let kept: Vec<String> = match &new[..] {
        [] => parts.iter().take(parts.len().saturating_sub(1)).map(|p| p.to_string()).collect(),
        new => parts.iter().filter(|part| !new.iter().any(|new| new == *part)).map(|p| p.to_string()).collect(),
    };
    let first = parts.iter().take(kept.len()).eq(kept.iter());
    match kept.len() {
        0 => None,
        count if first => Some(Freeze::First(count)),
        _ => Some(Freeze::Named(kept)),
    }
}
