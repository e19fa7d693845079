//! An update that is being recorded: what an optimizer has to work with.

use super::Slot;
use crate::error::{NnError, Result};
use chiaro_graph::{ArenaId, ArenaRole, Elementwise, Graph, Initial, Target, Var};

/// One step of an optimizer while it is recorded. All values are flat f32 vectors laid out as the parameters' arena, so that
/// an optimizer is one elementwise expression over all of them.
pub struct Update<'g> {
    graph: &'g mut Graph,
    params: ArenaId,
    /// Begins the names of the slots' arenas.
    prefix: String,
    /// The slots that the optimizer lists.
    listed: Vec<Slot>,
    /// Slots that were taken, with their arenas.
    slots: Vec<(&'static str, ArenaId)>,
    values: Var,
    gradient: Var,
    hyper: Var,
    /// Where in `hyper` this optimizer's numbers stand.
    first_number: usize,
    /// 1 where a parameter decays; absent: all do.
    mask: Option<Var>,
    /// Where it does not hold, everything stays as it is: a truth value, or one for each element.
    condition: Option<Var>,
    /// Factors of the rate, one for each element.
    rates: Option<Var>,
}

impl<'g> Update<'g> {
    pub(super) fn new(graph: &'g mut Graph, params: ArenaId, values: Var, gradient: Var, hyper: Var) -> Update<'g> {
        let prefix = "optimizer.".to_string();
        let (listed, slots, first_number, mask, condition, rates) = (vec![], vec![], 0, None, None, None);
        Update { graph, params, prefix, listed, slots, values, gradient, hyper, first_number, mask, condition, rates }
    }

    /// The same for a group: its slots and what their names begin with, where its numbers stand, and what of it decays.
    pub(super) fn of_group(self, listed: Vec<Slot>, prefix: String, first_number: usize, mask: Option<Var>) -> Self {
        Update { listed, prefix, first_number, mask, ..self }
    }

    /// The same, but nothing changes where the condition does not hold.
    pub(super) fn only_where(self, condition: Option<Var>) -> Self {
        Update { condition, ..self }
    }

    /// The same, with these factors of the rate.
    pub(super) fn at_rates(self, rates: Option<Var>) -> Self {
        Update { rates, ..self }
    }

    /// The parameters' arena.
    pub(super) fn params(&self) -> ArenaId {
        self.params
    }

    /// The graph, to record ops on.
    pub fn graph(&mut self) -> &mut Graph {
        self.graph
    }

    /// The parameters before the step, less what [`Update::shrink`] took off.
    pub fn values(&self) -> Var {
        self.values
    }

    /// Their gradient, clipped if the step clips, without decay.
    pub fn gradient(&self) -> Var {
        self.gradient
    }

    /// A slot before the step.
    ///
    /// # Errors
    /// If it was taken already, or [`Optimizer::slots`](super::Optimizer::slots) does not list it.
    pub fn slot(&mut self, name: &'static str) -> Result<Var> {
        let Some(slot) = self.listed.iter().find(|slot| slot.name == name).copied() else {
            return Err(NnError::Option(format!(
                "the optimizer reads the slot {name:?}, which its slots() does not list"
            )));
        };
        let arena = self.graph.arena_like(self.params, &format!("{}{name}", self.prefix))?;
        self.graph.describe_arena(arena, ArenaRole::Slot, Initial::Fill(slot.initial))?;
        self.slots.push((name, arena));
        Ok(self.graph.arena_values(arena)?)
    }

    /// A slot after the step.
    ///
    /// # Errors
    /// If it was not taken, was stored already, or the value is no vector of the parameters' layout.
    pub fn store(&mut self, name: &'static str, value: Var) -> Result<()> {
        let found = self.slots.iter().find(|(known, _)| *known == name);
        let unknown = || NnError::Option(format!("the optimizer stores {name:?} without having read it with slot()"));
        let arena = found.ok_or_else(unknown)?.1;
        self.assign(arena, value)
    }

    pub(super) fn assign(&mut self, arena: ArenaId, value: Var) -> Result<()> {
        let value = match self.condition {
            Some(condition) => {
                let old = self.graph.arena_values(arena)?;
                self.graph.where_(condition, value, old)?
            }
            None => value,
        };
        Ok(self.graph.assign(Target::Arena(arena), value)?)
    }

    /// Number `i` of those that [`Optimizer::hyper`](super::Optimizer::hyper) gives, one element.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn hyper(&mut self, i: usize) -> Result<Var> {
        let at = self.first_number + i;
        Ok(self.graph.narrow(self.hyper, 0, at, at + 1)?)
    }

    /// x times a fixed number.
    ///
    /// # Errors
    /// If x is no float of this graph.
    pub fn scaled(&mut self, x: Var, factor: f64) -> Result<Var> {
        Ok(self.graph.map_scalars(Elementwise::Mul, x, &[factor])?)
    }

    /// `keep` old + (1 - `keep`) x.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn blended(&mut self, old: Var, x: Var, keep: f64) -> Result<Var> {
        let (old, x) = (self.scaled(old, keep)?, self.scaled(x, 1.0 - keep)?);
        Ok(self.graph.add(old, x)?)
    }

    /// The gradient with L2 decay: g + weight_decay p, where parameters decay.
    ///
    /// # Errors
    /// Those of the graph.
    pub fn decayed_gradient(&mut self, weight_decay: f64) -> Result<Var> {
        if weight_decay == 0.0 {
            return Ok(self.gradient);
        }
        self.with_decay(self.gradient, weight_decay)
    }

    /// A direction with decay: that + weight_decay p, where parameters decay.
    ///
    /// # Errors
    /// If the direction is no vector of the parameters' layout.
    pub fn with_decay(&mut self, direction: Var, weight_decay: f64) -> Result<Var> {
        if weight_decay == 0.0 {
            return Ok(direction);
        }
        let pull = self.scaled(self.values, weight_decay)?;
        let pull = self.masked(pull)?;
        Ok(self.graph.add(direction, pull)?)
    }

    /// Decoupled decay: takes the share, one element, off the values, where parameters decay.
    ///
    /// # Errors
    /// Those of the graph.
    pub fn shrink(&mut self, share: Var) -> Result<()> {
        let pull = self.graph.mul(self.values, share)?;
        let pull = self.masked(pull)?;
        let pull = self.at_own_rate(pull)?;
        self.values = self.graph.sub(self.values, pull)?;
        Ok(())
    }

    fn at_own_rate(&mut self, change: Var) -> Result<Var> {
        Ok(match self.rates {
            Some(rates) => self.graph.mul(change, rates)?,
            None => change,
        })
    }

    fn masked(&mut self, pull: Var) -> Result<Var> {
        Ok(match self.mask {
            Some(mask) => self.graph.mul(pull, mask)?,
            None => pull,
        })
    }

    /// √x + eps.
    ///
    /// # Errors
    /// If x is no float of this graph.
    pub fn root_plus(&mut self, x: Var, eps: f64) -> Result<Var> {
        let root = self.graph.unary(Elementwise::Sqrt, x)?;
        Ok(self.graph.map_scalars(Elementwise::Add, root, &[eps])?)
    }

    /// The values less `hyper[0]` times the direction.
    ///
    /// # Errors
    /// If the direction is no vector of the parameters' layout.
    pub fn step(&mut self, direction: Var) -> Result<Var> {
        let rate = self.hyper(0)?;
        let change = self.graph.mul(direction, rate)?;
        let change = self.at_own_rate(change)?;
        Ok(self.graph.sub(self.values, change)?)
    }
}
