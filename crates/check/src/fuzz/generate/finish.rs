//! The end of a graph: what is read of it and written to its states.

use super::super::arg::V;
use super::super::call::Call;
use super::super::expect::expect;
use super::super::recipe::{LeafKind, Place, Recipe, RecipeStep};
use super::{Gen, gradient};
use crate::draw::Draw;
use chiaro_graph::DType;
use std::collections::BTreeSet;

/// Outputs at the most.
const OUTPUTS: usize = 12;

impl Gen {
    /// Chooses outputs and assignments. What would not stay finite in the second run is not assigned.
    pub fn finish(mut self) -> Recipe {
        let has_gradients = self.recipe.steps.iter().any(|s| matches!(s, RecipeStep::Call(Call::Grad { .. })));
        if !has_gradients && self.rng.percent(60) {
            gradient::gradient(&mut self);
        }
        self.assign();
        self.read_out();
        while !self.recipe.assignments.is_empty() && !self.stays_finite() {
            self.recipe.assignments.pop();
        }
        self.recipe
    }

    fn stays_finite(&self) -> bool {
        let Some(tensors) = self.recipe.build().ok().and_then(|q| expect(&q, 0, 0)) else { return false };
        tensors.iter().all(|t| t.value.base.iter().all(|v| v.is_finite() && v.abs() < 1e8))
    }

    fn assign(&mut self) {
        if let Some(&(dtype, v)) = self.whole.first() {
            self.recipe.assignments.push((Place::Arena(dtype), v));
        }
        let mut taken = BTreeSet::new();
        for (state, v) in std::mem::take(&mut self.updates) {
            let dtype = self.dtype(v);
            if self.whole.iter().all(|w| w.0 != dtype) && taken.insert(state) {
                self.recipe.assignments.push((Place::State(state), v));
            }
        }
        for dtype in [DType::F32, DType::F16] {
            for state in self.states_of(dtype) {
                let free = self.whole.iter().all(|w| w.0 != dtype) && !taken.contains(&state);
                let old = V { step: state, part: 0 };
                if free
                    && self.rng.percent(60)
                    && let Some(new) = self.updated(old).filter(|&v| self.shape(v) == self.shape(old))
                {
                    self.recipe.assignments.push((Place::State(state), new));
                }
            }
        }
    }

    /// What nothing reads is read out, and some of the rest; a leaf now and then.
    fn read_out(&mut self) {
        let mut read = BTreeSet::new();
        for step in &mut self.recipe.steps {
            step.values(&mut |v| {
                read.insert(*v);
            });
        }
        let mut outputs = vec![];
        for v in self.all() {
            let leaf = matches!(&self.recipe.steps[v.step], RecipeStep::Leaf(_));
            let chance = if leaf {
                3
            } else if read.contains(&v) {
                12
            } else {
                90
            };
            if self.rng.percent(chance) {
                outputs.push(v);
            }
        }
        while outputs.len() > OUTPUTS {
            outputs.remove(self.rng.below(outputs.len()));
        }
        if outputs.is_empty() {
            let last = self.all().last().copied();
            let x = last.or_else(|| self.leaf(LeafKind::Input, &[3], DType::F32, Draw::Uniform(-2.0, 2.0)));
            outputs.extend(x);
        }
        self.recipe.outputs = outputs;
    }
}
