//! Optimizers as elementwise expressions over flat arenas, so that each is one fused kernel over all parameters.
//!
//! Rules and defaults are PyTorch's. The numbers that change from step to step (learning rate, bias corrections) are computed on
//! the host in f64 and reach the graph as one f32 vector, `hyper`.

mod adagrad;
mod adam;
mod clip;
mod named;
mod rms_prop;
mod sgd;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use clip::{GradientChange, clip_by_global_norm, clip_by_norm};
pub use named::{NamedOptimizer, OptimizerSettings, named_optimizer, optimizer_names};
pub use rms_prop::RmsProp;
pub use sgd::Sgd;

use crate::arena::vector;
use chiaro_graph::{ArenaId, Elementwise, Graph, GraphError, Result, Target, Tensor, Var};

/// Which parameters decay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decay {
    /// All, as PyTorch's optimizers do.
    #[default]
    All,
    /// Only those with two axes or more: biases and norms' scales and shifts are left alone.
    Weights,
}

impl Decay {
    /// 1 where a parameter decays, else 0, laid out as the arena; `None` where all do.
    ///
    /// # Errors
    /// [`GraphError::Memory`]: it is the first thing as large as the parameters that is made of a model.
    pub fn mask(self, graph: &Graph, params: ArenaId) -> Result<Option<Tensor>> {
        if self == Decay::All {
            return Ok(None);
        }
        let arena = &graph.arenas()[params.0];
        let mut flat = vec![];
        let none = |_| GraphError::Memory {
            what: format!("one number for each of the model's {:.0} million parameters", arena.len as f64 / 1e6),
            hint: "smaller images, or another model, have fewer",
        };
        flat.try_reserve_exact(arena.len).map_err(none)?;
        flat.resize(arena.len, 0.0);
        for state in arena.states.iter().map(|s| &graph.states()[s.0]).filter(|s| s.shape.len() > 1) {
            flat[state.offset..state.offset + chiaro_graph::shape::count(&state.shape)].fill(1.0);
        }
        Ok(Some(vector(flat)))
    }
}

/// A vector that an optimizer keeps for every parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slot {
    /// Name of its arena, which is laid out as the parameters' is.
    pub arena: &'static str,
    /// Value of all elements before the first step.
    pub initial: f64,
}

impl Slot {
    const fn zeros(arena: &'static str) -> Slot {
        Slot { arena, initial: 0.0 }
    }
}

/// An optimizer with its fixed settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// Adam with L2 decay.
    Adam(Adam),
    /// Adam with decoupled decay.
    AdamW(AdamW),
    /// RMSprop.
    RmsProp(RmsProp),
    /// Adagrad.
    Adagrad(Adagrad),
}

impl Optimizer {
    /// The vectors kept for every parameter.
    pub fn slots(&self) -> Vec<Slot> {
        match self {
            Optimizer::Sgd(o) => o.slots(),
            Optimizer::Adam(_) | Optimizer::AdamW(_) => adam::slots(),
            Optimizer::RmsProp(o) => o.slots(),
            Optimizer::Adagrad(o) => o.slots(),
        }
    }

    /// The numbers of a step: `lr` is its learning rate, `step` counts from 0. As many as [`Optimizer::hyper_len`].
    pub fn hyper(&self, lr: f64, step: u64) -> Tensor {
        let numbers = match self {
            Optimizer::Sgd(_) | Optimizer::RmsProp(_) => vec![lr],
            Optimizer::Adam(o) => adam::hyper(o, lr, step),
            Optimizer::AdamW(o) => o.hyper(lr, step),
            Optimizer::Adagrad(o) => o.hyper(lr, step),
        };
        vector(numbers.into_iter().map(|n| n as f32).collect())
    }

    /// Length of the vector that [`Optimizer::hyper`] gives.
    pub fn hyper_len(&self) -> usize {
        self.hyper(1.0, 0).shape()[0]
    }

    /// Appends the update: assigns the parameters' arena and the slots'. `gradient` is laid out as the arena, `hyper` an input
    /// of [`Optimizer::hyper_len`] f32.
    ///
    /// # Errors
    /// If the gradient does not have the arena's length, or an arena is assigned already.
    pub fn apply(&self, graph: &mut Graph, params: ArenaId, gradient: Var, hyper: Var, decay: Decay) -> Result<()> {
        self.apply_where(graph, params, gradient, hyper, decay, None)
    }

    /// The same, but where the condition, a single truth value, does not hold, parameters and slots stay as they are.
    ///
    /// # Errors
    /// Those of [`Optimizer::apply`].
    pub fn apply_where(
        &self,
        graph: &mut Graph,
        params: ArenaId,
        gradient: Var,
        hyper: Var,
        decay: Decay,
        condition: Option<Var>,
    ) -> Result<()> {
        let values = graph.arena_values(params)?;
        let mask = decay.mask(graph, params)?.map(|m| graph.constant(m)).transpose()?;
        let mut update = Update { graph, params, values, gradient, hyper, mask, condition };
        let new = match self {
            Optimizer::Sgd(o) => o.apply(&mut update),
            Optimizer::Adam(o) => o.apply(&mut update),
            Optimizer::AdamW(o) => o.apply(&mut update),
            Optimizer::RmsProp(o) => o.apply(&mut update),
            Optimizer::Adagrad(o) => o.apply(&mut update),
        }?;
        update.store(params, new)
    }
}

/// An update that is being recorded.
struct Update<'g> {
    graph: &'g mut Graph,
    params: ArenaId,
    values: Var,
    gradient: Var,
    hyper: Var,
    mask: Option<Var>,
    condition: Option<Var>,
}

impl Update<'_> {
    /// A slot before the step, and its arena.
    fn slot(&mut self, name: &str) -> Result<(ArenaId, Var)> {
        let arena = self.graph.arena_like(self.params, name)?;
        Ok((arena, self.graph.arena_values(arena)?))
    }

    fn store(&mut self, arena: ArenaId, value: Var) -> Result<()> {
        let value = match self.condition {
            Some(condition) => {
                let old = self.graph.arena_values(arena)?;
                self.graph.where_(condition, value, old)?
            }
            None => value,
        };
        self.graph.assign(Target::Arena(arena), value)
    }

    /// Number `i` of the step.
    fn hyper(&mut self, i: usize) -> Result<Var> {
        self.graph.narrow(self.hyper, 0, i, i + 1)
    }

    fn scaled(&mut self, x: Var, factor: f64) -> Result<Var> {
        self.graph.map_scalars(Elementwise::Mul, x, &[factor])
    }

    /// `keep` old + (1 - `keep`) x.
    fn blended(&mut self, old: Var, x: Var, keep: f64) -> Result<Var> {
        let (old, x) = (self.scaled(old, keep)?, self.scaled(x, 1.0 - keep)?);
        self.graph.add(old, x)
    }

    /// The gradient with L2 decay: g + weight_decay p.
    fn decayed_gradient(&mut self, weight_decay: f64) -> Result<Var> {
        if weight_decay == 0.0 {
            return Ok(self.gradient);
        }
        let mut pull = self.scaled(self.values, weight_decay)?;
        if let Some(mask) = self.mask {
            pull = self.graph.mul(pull, mask)?;
        }
        self.graph.add(self.gradient, pull)
    }

    /// √x + eps.
    fn root_plus(&mut self, x: Var, eps: f64) -> Result<Var> {
        let root = self.graph.unary(Elementwise::Sqrt, x)?;
        self.graph.map_scalars(Elementwise::Add, root, &[eps])
    }

    /// p - hyper[0] direction.
    fn step(&mut self, direction: Var) -> Result<Var> {
        let rate = self.hyper(0)?;
        let change = self.graph.mul(direction, rate)?;
        self.graph.sub(self.values, change)
    }
}

/// The optimizers that settings can name.
const OPTIMIZERS: &[NamedOptimizer] = &[
    NamedOptimizer {
        name: "sgd",
        usual_lr: 0.05,
        usual_weight_decay: 5e-4,
        has_momentum: true,
        make: |n| Optimizer::Sgd(Sgd { momentum: n.momentum, nesterov: false, weight_decay: n.weight_decay }),
    },
    NamedOptimizer {
        name: "nesterov",
        usual_lr: 0.05,
        usual_weight_decay: 5e-4,
        has_momentum: true,
        make: |n| Optimizer::Sgd(Sgd { momentum: n.momentum, nesterov: true, weight_decay: n.weight_decay }),
    },
    NamedOptimizer {
        name: "adam",
        usual_lr: 0.003,
        usual_weight_decay: 0.0,
        has_momentum: false,
        make: |n| Optimizer::Adam(Adam { weight_decay: n.weight_decay, ..Adam::default() }),
    },
    NamedOptimizer {
        name: "adamw",
        usual_lr: 0.003,
        usual_weight_decay: 0.01,
        has_momentum: false,
        make: |n| Optimizer::AdamW(AdamW { weight_decay: n.weight_decay, ..AdamW::default() }),
    },
    NamedOptimizer {
        name: "rmsprop",
        usual_lr: 0.001,
        usual_weight_decay: 0.0,
        has_momentum: false,
        make: |n| Optimizer::RmsProp(RmsProp { weight_decay: n.weight_decay, ..RmsProp::default() }),
    },
    NamedOptimizer {
        name: "adagrad",
        usual_lr: 0.01,
        usual_weight_decay: 0.0,
        has_momentum: false,
        make: |n| Optimizer::Adagrad(Adagrad { weight_decay: n.weight_decay, ..Adagrad::default() }),
    },
];
