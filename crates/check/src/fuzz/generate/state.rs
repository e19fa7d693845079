//! States: reading and updating them one by one, or a whole arena at once.

use super::super::arg::V;
use super::super::call::Call;
use super::super::recipe::{Leaf, LeafKind, RecipeStep};
use super::Gen;
use crate::draw::Draw;
use chiaro_graph::{DType, Elementwise};

impl Gen {
    /// Whether the arena of a type can take another state: not once it has been read as a whole.
    pub fn may_declare(&self, dtype: DType) -> bool {
        !self
            .recipe
            .steps
            .iter()
            .any(|s| matches!(s, RecipeStep::Leaf(l) if l.kind == LeafKind::Arena && l.dtype == dtype))
    }

    /// The steps of the states of a type.
    pub fn states_of(&self, dtype: DType) -> Vec<usize> {
        let is =
            |s: &RecipeStep| matches!(s, RecipeStep::Leaf(Leaf { kind: LeafKind::State, dtype: d, .. }) if *d == dtype);
        (0..self.recipe.steps.len()).filter(|&i| is(&self.recipe.steps[i])).collect()
    }

    /// What a state becomes: a function of itself and of another value that stays bounded.
    pub fn updated(&mut self, state: V) -> Option<V> {
        use Elementwise as E;
        let (shape, dtype) = (self.shape(state), self.dtype(state));
        if !dtype.is_float() {
            return self.call(Call::MapScalars { op: E::Add, x: state, numbers: vec![1.0] });
        }
        let other = match self.some(|g, v| g.dtype(v) == dtype && g.shape(v) == shape && g.reach(v) < 50.0) {
            Some(v) => v,
            None => self.partner(&shape, dtype)?,
        };
        match self.rng.below(4) {
            0 => {
                let kept = self.call(Call::MapScalars { op: E::Mul, x: state, numbers: vec![0.75] })?;
                let new = self.call(Call::MapScalars { op: E::Mul, x: other, numbers: vec![0.25] })?;
                self.call(Call::Map { op: E::Add, operands: vec![kept, new] })
            }
            1 => self.call(Call::Map { op: E::Maximum, operands: vec![state, other] }),
            2 => {
                let sum = self.call(Call::Map { op: E::Add, operands: vec![state, other] })?;
                self.call(Call::Map { op: E::Tanh, operands: vec![sum] })
            }
            _ => Some(other),
        }
    }
}

/// A new state and what it becomes.
pub(super) fn read(g: &mut Gen) -> Option<V> {
    if !g.states_wanted {
        return None;
    }
    let dtype = match g.rng.below(6) {
        0 => DType::I32,
        1 if g.halves => DType::F16,
        _ => DType::F32,
    };
    if !g.may_declare(dtype) {
        return None;
    }
    let there = g.some(|g, v| g.dtype(v) == dtype).filter(|_| g.rng.percent(60));
    let rank = g.rng.within(0, 3);
    let shape = match there {
        Some(v) => g.shape(v),
        None => g.sizes.shape(&mut g.rng, rank),
    };
    let state = g.leaf(LeafKind::State, &shape, dtype, Draw::Normal)?;
    let new = g.updated(state)?;
    if g.shape(new) == shape {
        g.updates.push((state.step, new));
    }
    Some(new)
}

/// A whole arena, updated at once by values laid out as its states are, as optimizers do.
pub(super) fn packed(g: &mut Gen) -> Option<V> {
    let dtype = DType::F32;
    let states = g.states_of(dtype);
    let assigned = g.updates.iter().any(|(s, _)| states.contains(s)) || !g.whole.is_empty();
    if states.is_empty() || assigned || g.left < 20_000 {
        return None;
    }
    let mut parts = vec![];
    for &step in &states {
        let shape = g.shape(V { step, part: 0 });
        let part = match g.some(|g, v| g.dtype(v) == dtype && g.shape(v) == shape) {
            Some(v) => v,
            None => g.float_like(&shape, dtype)?,
        };
        if g.rng.percent(80) {
            parts.push((step, part));
        }
    }
    // New states must not have come in between.
    if parts.is_empty() || g.states_of(dtype) != states {
        return None;
    }
    let packed = g.add(RecipeStep::Pack(dtype, parts))?;
    let len = g.shape(packed);
    let arena = g.leaf(LeafKind::Arena, &len, dtype, Draw::Normal)?;
    let step = g.call(Call::MapScalars { op: Elementwise::Mul, x: packed, numbers: vec![0.1] })?;
    let new = g.call(Call::Map { op: Elementwise::Sub, operands: vec![arena, step] })?;
    g.whole.push((dtype, new));
    Some(new)
}
