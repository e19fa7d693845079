//! The optimizers of a step: one for all parameters, and others for groups of them.

use super::decay::a_number_each;
use super::{Decay, Optimizer, Slot, Update};
use crate::arena::vector;
use crate::error::{NnError, Result};
use chiaro_graph::shape::count;
use chiaro_graph::{ArenaId, Data, Elementwise, Graph, StateInfo, Tensor, Var};
use std::fmt;
use std::sync::Arc;

type Takes = Arc<dyn Fn(&StateInfo) -> bool + Send + Sync>;

/// Parameters that are updated in a way of their own.
#[derive(Clone)]
pub struct ParameterGroup {
    name: String,
    takes: Takes,
    optimizer: Arc<dyn Optimizer>,
    decay: Decay,
    rate: f64,
}

impl ParameterGroup {
    /// A group of the parameters that `takes` accepts; `name` is part of the names of its slots' arenas.
    pub fn new(
        name: &str,
        takes: impl Fn(&StateInfo) -> bool + Send + Sync + 'static,
        optimizer: impl Optimizer + 'static,
    ) -> ParameterGroup {
        let (takes, optimizer): (Takes, Arc<dyn Optimizer>) = (Arc::new(takes), Arc::new(optimizer));
        ParameterGroup { name: name.to_string(), takes, optimizer, decay: Decay::All, rate: 1.0 }
    }

    /// Which of its parameters decay.
    pub fn decay(self, decay: Decay) -> ParameterGroup {
        ParameterGroup { decay, ..self }
    }

    /// Its learning rate is the step's times this.
    pub fn rate(self, rate: f64) -> ParameterGroup {
        ParameterGroup { rate, ..self }
    }

    fn prefix(&self) -> String {
        if self.name.is_empty() { "optimizer.".to_string() } else { format!("optimizer.{}.", self.name) }
    }
}

impl fmt::Debug for ParameterGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ParameterGroup { name, optimizer, decay, rate, .. } = self;
        write!(f, "ParameterGroup {{ name: {name:?}, optimizer: {optimizer:?}, decay: {decay:?}, rate: {rate} }}")
    }
}

/// The optimizers of a step. Every parameter belongs to the first group that takes it, or else to the optimizer that the whole
/// was made of. Each keeps slots for all parameters, those of others staying as they start, so that all are one kernel.
#[derive(Clone, Debug)]
pub struct Optimizers {
    /// The first takes what the others leave.
    groups: Vec<ParameterGroup>,
}

impl<O: Optimizer + 'static> From<O> for Optimizers {
    fn from(optimizer: O) -> Self {
        Optimizers { groups: vec![ParameterGroup::new("", |_| true, optimizer)] }
    }
}

impl Optimizers {
    /// One optimizer for all parameters.
    pub fn new(optimizer: impl Optimizer + 'static) -> Optimizers {
        optimizer.into()
    }

    /// Which parameters decay, those of groups apart.
    pub fn decay(mut self, decay: Decay) -> Optimizers {
        self.groups[0].decay = decay;
        self
    }

    /// The same, but the parameters that the group takes are updated in its way.
    pub fn with(mut self, group: ParameterGroup) -> Optimizers {
        self.groups.push(group);
        self
    }

    /// The arenas of all slots, and the value of all their elements before the first step.
    pub fn slots(&self) -> Vec<(String, f64)> {
        let of = |group: &ParameterGroup| {
            let arena = |slot: Slot| (format!("{}{}", group.prefix(), slot.name), slot.initial);
            group.optimizer.slots().into_iter().map(arena).collect::<Vec<_>>()
        };
        self.groups.iter().flat_map(of).collect()
    }

    /// The numbers of a step: `lr` is its learning rate, `step` counts from 0. As many as [`Optimizers::hyper_len`].
    pub fn hyper(&self, lr: f64, step: u64) -> Tensor {
        let numbers = self.groups.iter().flat_map(|g| g.optimizer.hyper(lr * g.rate, step));
        vector(numbers.map(|n| n as f32).collect())
    }

    /// Length of the vector that [`Optimizers::hyper`] gives.
    pub fn hyper_len(&self) -> usize {
        self.hyper(1.0, 0).shape()[0]
    }

    /// Appends the update: assigns the parameters' arena and the slots'. `gradient` is laid out as the arena, `hyper` an input of
    /// [`Optimizers::hyper_len`] f32. Where the condition, a single truth value, does not hold, parameters and slots stay as they are.
    ///
    /// # Errors
    /// If the gradient does not have the arena's length, an arena is assigned already, a group takes no parameter, or what an
    /// optimizer records is wrong.
    pub fn apply(
        &self,
        graph: &mut Graph,
        params: ArenaId,
        gradient: Var,
        hyper: Var,
        condition: Option<Var>,
    ) -> Result<()> {
        let old = graph.arena_values(params)?;
        let places = self.places(graph, params)?;
        let (mut new, mut first_number) = (old, 0);
        for (i, group) in self.groups.iter().enumerate() {
            let mask = group.decay.mask(graph, params)?.map(|m| graph.constant(m)).transpose()?;
            let own = places.map(|p| graph.map_scalars(Elementwise::Equal, p, &[i as f64])).transpose()?;
            let both = match (condition, own) {
                (Some(condition), Some(own)) => Some(graph.map(Elementwise::And, &[condition, own])?),
                (one, other) => one.or(other),
            };
            let update = Update::new(graph, params, old, gradient, hyper).only_where(both);
            let mut update = update.of_group(group.optimizer.slots(), group.prefix(), first_number, mask);
            let moved = group.optimizer.update(&mut update)?;
            new = match own {
                Some(own) => graph.where_(own, moved, new)?,
                None => moved,
            };
            first_number += group.optimizer.hyper(1.0, 0).len();
        }
        Update::new(graph, params, old, gradient, hyper).only_where(condition).assign(params, new)
    }

    /// The group of each element, i32, laid out as the arena; `None` where there is one.
    fn places(&self, graph: &mut Graph, params: ArenaId) -> Result<Option<Var>> {
        if self.groups.len() == 1 {
            return Ok(None);
        }
        let mut flat = a_number_each(graph, params, 0i32)?;
        let mut taken = vec![false; self.groups.len()];
        for state in graph.arenas()[params.index()].states.iter().map(|s| &graph.states()[s.index()]) {
            let group = (1..self.groups.len()).find(|&i| (self.groups[i].takes)(state)).unwrap_or(0);
            taken[group] = true;
            flat[state.offset..state.offset + count(&state.shape)].fill(group as i32);
        }
        if let Some(idle) = (1..self.groups.len()).find(|&i| !taken[i]) {
            let name = &self.groups[idle].name;
            return Err(NnError::Option(format!("the parameter group {name:?} takes no parameter of the model")));
        }
        let len = flat.len();
        let places = Tensor::new([len], Data::I32(flat));
        let places = places.ok_or_else(|| NnError::Arena(format!("an arena of {len} elements")))?;
        Ok(Some(graph.constant(places)?))
    }
}
