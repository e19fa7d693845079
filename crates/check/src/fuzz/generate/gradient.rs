//! Gradients with respect to any subset of what a value depends on.

use super::super::arg::V;
use super::super::call::Call;
use super::super::recipe::{LeafKind, RecipeStep};
use super::Gen;
use chiaro_graph::Elementwise;

impl Gen {
    /// The floats on which a value depends, itself left out.
    fn ancestors(&self, y: V) -> Vec<V> {
        let mut reached = vec![false; self.graph.nodes().len()];
        let node = |v: V| self.made[v.step][v.part].index();
        reached[node(y)] = true;
        for i in (0..=node(y)).rev() {
            if reached[i] {
                self.graph.nodes()[i].inputs.iter().for_each(|v| reached[v.index()] = true);
            }
        }
        let is = |v: &V| *v != y && reached[node(*v)] && self.dtype(*v).is_float();
        self.all().into_iter().filter(is).collect()
    }

    fn is_leaf(&self, v: V) -> bool {
        matches!(&self.recipe.steps[v.step], RecipeStep::Leaf(_))
    }
}

/// Gradients of a value; parameters among the states are then moved by theirs.
pub(super) fn gradient(g: &mut Gen) -> Option<V> {
    // Of some, the one that depends on most.
    let some: Vec<V> = (0..4).filter_map(|_| g.some(|g, v| g.dtype(v).is_float())).collect();
    let y = some.into_iter().max_by_key(|&v| g.ancestors(v).len())?;
    gradient_of(g, y)
}

/// Gradients of a value.
pub(super) fn gradient_of(g: &mut Gen, y: V) -> Option<V> {
    let single = g.numbers(y).len() == 1;
    let (y, cotangent) = match g.rng.below(2) {
        _ if single => (y, None),
        0 => (g.total(y)?, None),
        _ => {
            let (shape, dtype) = (g.shape(y), g.dtype(y));
            (y, Some(g.float_like(&shape, dtype)?))
        }
    };
    let ancestors = g.ancestors(y);
    let leaves: Vec<V> = ancestors.iter().copied().filter(|&v| g.is_leaf(v)).collect();
    let from = if g.rng.percent(75) && !leaves.is_empty() { leaves } else { ancestors };
    if from.is_empty() {
        return None;
    }
    let mut wrt: Vec<V> = vec![];
    for _ in 0..g.rng.within(1, 5) {
        let v = g.rng.pick(&from);
        if !wrt.contains(&v) {
            wrt.push(v);
        }
    }
    let gradients = g.call(Call::Grad { y, cotangent, wrt: wrt.clone() })?;
    for (part, &parameter) in wrt.iter().enumerate() {
        learn(g, parameter, V { step: gradients.step, part });
    }
    Some(gradients)
}

/// A state that has a gradient takes a step against it.
fn learn(g: &mut Gen, parameter: V, gradient: V) -> Option<()> {
    let is_state = matches!(&g.recipe.steps[parameter.step], RecipeStep::Leaf(l) if l.kind == LeafKind::State);
    let taken = g.updates.iter().any(|(s, _)| *s == parameter.step) || !g.whole.is_empty();
    if !is_state || taken || g.rng.percent(30) || g.reach(gradient) > 50.0 {
        return None;
    }
    let step = g.call(Call::MapScalars { op: Elementwise::Mul, x: gradient, numbers: vec![0.05] })?;
    let new = g.call(Call::Map { op: Elementwise::Sub, operands: vec![parameter, step] })?;
    g.updates.push((parameter.step, new));
    Some(())
}
