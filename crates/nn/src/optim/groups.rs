//! The optimizers of a step: one for all parameters, and others for groups of them.

use super::decay::a_number_each;
use super::each::spread;
use super::gathered::gather;
use super::{Average, Decay, Frozen, Optimizer, Slot, Update};
use crate::arena::vector;
use crate::error::{NnError, Result};
use chiaro_graph::shape::count;
use chiaro_graph::{ArenaId, Data, Elementwise, Graph, StateInfo, Target, Tensor, Var};
use std::fmt;
use std::sync::Arc;

/// Which parameters are meant.
pub(super) type Takes = Arc<dyn Fn(&StateInfo) -> bool + Send + Sync>;

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
    rates: Option<Rates>,
    frozen: Option<Frozen>,
    /// Steps whose gradients make one update.
    gather: u64,
    average: Option<Average>,
}

/// A factor of each parameter's learning rate.
#[derive(Clone)]
struct Rates(Arc<dyn Fn(&StateInfo) -> f64 + Send + Sync>);

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rates")
    }
}

impl<O: Optimizer + 'static> From<O> for Optimizers {
    fn from(optimizer: O) -> Self {
        let groups = vec![ParameterGroup::new("", |_| true, optimizer)];
        Optimizers { groups, rates: None, frozen: None, gather: 1, average: None }
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

    /// Each parameter's learning rate, and its decoupled decay, is the step's times what this gives.
    pub fn rates(self, rate: impl Fn(&StateInfo) -> f64 + Send + Sync + 'static) -> Optimizers {
        Optimizers { rates: Some(Rates(Arc::new(rate))), ..self }
    }

    /// These parameters stay as they are.
    pub fn freeze(self, frozen: Frozen) -> Optimizers {
        Optimizers { frozen: Some(frozen), ..self }
    }

    /// Whether a parameter is one of those that stay as they are, for some time at least.
    pub fn freezes(&self, state: &StateInfo) -> bool {
        self.frozen.as_ref().is_some_and(|frozen| frozen.takes(state))
    }

    /// The first step in which they are trained as all others: 0 where there are none, `None` where that never comes.
    pub fn thawed_from(&self) -> Option<u64> {
        self.frozen.as_ref().map_or(Some(0), |frozen| frozen.thaw().map(|update| update * self.gather))
    }

    /// One update of so many steps' gradients, of their mean; 0 counts as 1.
    pub fn gather(self, steps: u64) -> Optimizers {
        Optimizers { gather: steps.max(1), ..self }
    }

    /// Beside the weights, an average of them is kept in arenas of their own ([`average_of`](super::average_of)).
    pub fn average(self, average: Average) -> Optimizers {
        Optimizers { average: Some(average), ..self }
    }

    /// The average that is kept.
    pub fn averaging(&self) -> Option<Average> {
        self.average
    }

    /// Updates after so many steps.
    pub fn updates(&self, steps: u64) -> u64 {
        steps / self.gather
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
        let update = step / self.gather;
        let last = (step + 1).is_multiple_of(self.gather);
        let mut numbers: Vec<f64> = self.groups.iter().flat_map(|g| g.optimizer.hyper(lr * g.rate, update)).collect();
        numbers.extend(self.frozen.as_ref().map(|frozen| frozen.number(update)));
        numbers.extend((self.gather > 1).then_some(f64::from(last)));
        numbers.extend(self.average.map(|average| if last { average.kept(update) } else { 1.0 }));
        vector(numbers.into_iter().map(|n| n as f32).collect())
    }

    /// The numbers of a step behind those of the groups, as far as they are used: whether frozen parameters have thawed, whether
    /// the step ends an update, and the share that the average keeps.
    fn extra_numbers(&self, graph: &mut Graph, hyper: Var) -> Result<[Option<Var>; 3]> {
        let mut at: usize = self.groups.iter().map(|group| group.optimizer.hyper(1.0, 0).len()).sum();
        let mut next = |used: bool| {
            let number = used.then(|| graph.narrow(hyper, 0, at, at + 1)).transpose()?;
            at += usize::from(used);
            Ok::<_, NnError>(number)
        };
        Ok([next(self.frozen.is_some())?, next(self.gather > 1)?, next(self.average.is_some())?])
    }

    /// The share that the average keeps in this step, one element, where there is an average.
    pub(crate) fn kept_share(&self, graph: &mut Graph, hyper: Var) -> Result<Option<Var>> {
        Ok(self.extra_numbers(graph, hyper)?[2])
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
        let [thawed, last, kept] = self.extra_numbers(graph, hyper)?;
        let (mut gradient, mut condition) = (gradient, condition);
        if let Some(last) = last {
            let (sum, ends) = gather(graph, params, gradient, self.gather, last, condition)?;
            (gradient, condition) = (sum, Some(ends));
        }
        if let (Some(frozen), Some(thawed)) = (&self.frozen, thawed) {
            let moves = frozen.moves(graph, params, thawed)?;
            condition = both(graph, condition, Some(moves))?;
        }
        let rates = self.rates.as_ref().map(|rates| spread(graph, params, |state| (rates.0)(state))).transpose()?;
        let rates = rates.map(|rates| graph.constant(rates)).transpose()?;
        let places = self.places(graph, params)?;
        let (mut new, mut first_number) = (old, 0);
        for (i, group) in self.groups.iter().enumerate() {
            let mask = group.decay.mask(graph, params)?.map(|m| graph.constant(m)).transpose()?;
            let own = places.map(|p| graph.map_scalars(Elementwise::Equal, p, &[i as f64])).transpose()?;
            let holds = both(graph, condition, own)?;
            let update = Update::new(graph, params, old, gradient, hyper).only_where(holds).at_rates(rates);
            let mut update = update.of_group(group.optimizer.slots(), group.prefix(), first_number, mask);
            let moved = group.optimizer.update(&mut update)?;
            new = match own {
                Some(own) => graph.where_(own, moved, new)?,
                None => moved,
            };
            first_number += group.optimizer.hyper(1.0, 0).len();
        }
        if let Some(condition) = condition {
            new = graph.where_(condition, new, old)?;
        }
        if let Some(kept) = kept {
            let average = super::record_average(graph, params, new, kept)?;
            if self.average.is_some_and(Average::draws_back) {
                let moved = graph.map_scalars(Elementwise::Less, kept, &[1.0])?;
                new = graph.where_(moved, average, new)?;
            }
        }
        Ok(graph.assign(Target::Arena(params), new)?)
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

/// Where both hold, as far as there are two.
fn both(graph: &mut Graph, one: Option<Var>, other: Option<Var>) -> Result<Option<Var>> {
    Ok(match (one, other) {
        (Some(one), Some(other)) => Some(graph.map(Elementwise::And, &[one, other])?),
        (one, other) => one.or(other),
    })
}
