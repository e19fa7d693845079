//! Optimizers as elementwise expressions over flat arenas, so that each is one fused kernel over all parameters.
//!
//! One rule a file, which says its own settings, state and numbers ([`Optimizer`]); a program adds its own the same way. Rules and
//! defaults are PyTorch's. The numbers that change from step to step (learning rate, bias corrections) are computed on the host in
//! f64 and reach the graph as one f32 vector, `hyper`.

mod adagrad;
mod adam;
mod average;
mod clip;
mod decay;
mod each;
mod frozen;
mod gathered;
mod groups;
mod lamb;
mod lion;
mod muon;
mod named;
mod rms_prop;
mod sgd;
mod update;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub(crate) use average::record as record_average;
pub use average::{Average, average_of};
pub use clip::{GradientChange, clip_by_global_norm, clip_by_norm};
pub use decay::Decay;
pub use frozen::Frozen;
pub use groups::{Optimizers, ParameterGroup};
pub use lamb::Lamb;
pub use lion::Lion;
pub use muon::Muon;
pub use named::{NamedOptimizer, OptimizerSettings, named_optimizer, optimizer_names, register_optimizer};
pub use rms_prop::RmsProp;
pub use sgd::Sgd;
pub use update::Update;

use crate::error::Result;
use chiaro_graph::Var;
use std::fmt::Debug;
use std::sync::Arc;

/// This project's own: name, learning rate and weight decay to start from, whether momentum means something, and the rule.
const OWN: &[NamedOptimizer] = &[
    NamedOptimizer::new("sgd", 0.05, 5e-4, true, |s| Arc::new(sgd(s, false))),
    NamedOptimizer::new("nesterov", 0.05, 5e-4, true, |s| Arc::new(sgd(s, true))),
    NamedOptimizer::new("adam", 0.003, 0.0, false, |s| {
        Arc::new(Adam { weight_decay: s.weight_decay, ..Adam::default() })
    }),
    NamedOptimizer::new("adamw", 0.003, 0.01, false, |s| {
        Arc::new(AdamW { weight_decay: s.weight_decay, ..AdamW::default() })
    }),
    NamedOptimizer::new("rmsprop", 0.001, 0.0, false, |s| {
        Arc::new(RmsProp { weight_decay: s.weight_decay, ..RmsProp::default() })
    }),
    NamedOptimizer::new("adagrad", 0.01, 0.0, false, |s| {
        Arc::new(Adagrad { weight_decay: s.weight_decay, ..Adagrad::default() })
    }),
    NamedOptimizer::new("lion", 3e-4, 0.1, false, |s| {
        Arc::new(Lion { weight_decay: s.weight_decay, ..Lion::default() })
    }),
    NamedOptimizer::new("lamb", 0.003, 0.01, false, |s| {
        Arc::new(Lamb { weight_decay: s.weight_decay, ..Lamb::default() })
    }),
    NamedOptimizer::new("muon", 0.003, 0.01, false, |s| {
        Arc::new(Muon { weight_decay: s.weight_decay, ..Muon::default() })
    }),
];

fn sgd(settings: OptimizerSettings, nesterov: bool) -> Sgd {
    Sgd { momentum: settings.momentum, nesterov, weight_decay: settings.weight_decay }
}

/// A rule by which parameters change, written in graph ops, with its fixed settings.
pub trait Optimizer: Debug + Send + Sync {
    /// The vectors that it keeps for every parameter; none unless it says so.
    fn slots(&self) -> Vec<Slot> {
        vec![]
    }

    /// The numbers of a step, always as many: `lr` is the step's learning rate, `step` counts from 0. The rate alone unless it
    /// says otherwise. [`Update::hyper`] reads them.
    fn hyper(&self, lr: f64, step: u64) -> Vec<f64> {
        let _ = step;
        vec![lr]
    }

    /// Records one step for all parameters at once, stores the slots, and gives the parameters' new values.
    ///
    /// # Errors
    /// Those of the graph, and of a slot that [`Optimizer::slots`] does not list.
    fn update(&self, update: &mut Update<'_>) -> Result<Var>;
}

impl<O: Optimizer + ?Sized> Optimizer for Arc<O> {
    fn slots(&self) -> Vec<Slot> {
        (**self).slots()
    }

    fn hyper(&self, lr: f64, step: u64) -> Vec<f64> {
        (**self).hyper(lr, step)
    }

    fn update(&self, update: &mut Update<'_>) -> Result<Var> {
        (**self).update(update)
    }
}

/// A vector that an optimizer keeps for every parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slot {
    /// Its name; its arena, laid out as the parameters' is, is named `optimizer.NAME`, or `optimizer.GROUP.NAME` for a group's.
    pub name: &'static str,
    /// Value of all elements before the first step.
    pub initial: f64,
}

impl Slot {
    /// A slot that starts as zeros.
    pub const fn zeros(name: &'static str) -> Slot {
        Slot { name, initial: 0.0 }
    }
}
