//! Making a failing graph smaller while it fails in the same way: fewer outputs, fewer steps, smaller extents, simpler arguments.

use super::arg::V;
use super::call::Call;
use super::recipe::{Leaf, LeafKind, Recipe, RecipeStep};
use crate::draw::Draw;
use std::collections::BTreeSet;

/// A recipe and what it must go on doing.
struct Shrinker<'a> {
    recipe: Recipe,
    fails: &'a mut dyn FnMut(&Recipe) -> bool,
    /// Candidates that may still be tried.
    left: usize,
}

/// The smallest recipe found with `tries` candidates for which `fails` holds, as it does for the given one.
pub(super) fn shrink(recipe: &Recipe, tries: usize, fails: &mut dyn FnMut(&Recipe) -> bool) -> Recipe {
    let mut s = Shrinker { recipe: recipe.clone(), fails, left: tries };
    s.outputs();
    while s.left > 0 {
        let before = s.left;
        let smaller = [s.results(), s.cut(), s.bypass(), s.arguments(), s.extents(), s.leaves()];
        // A round that changed nothing, or could try nothing, is the last.
        if !smaller.contains(&true) || s.left == before {
            break;
        }
    }
    s.recipe
}

impl Shrinker<'_> {
    /// Keeps a candidate if it still fails.
    fn keep(&mut self, change: impl FnOnce(&mut Recipe)) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let mut candidate = self.recipe.clone();
        change(&mut candidate);
        candidate.prune();
        let fails = (self.fails)(&candidate);
        if fails {
            self.recipe = candidate;
        }
        fails
    }

    /// One output, or one assignment and its arena, is often enough.
    fn outputs(&mut self) {
        for i in 0..self.recipe.outputs.len() {
            let alone = vec![self.recipe.outputs[i]];
            if self.keep(|r| (r.outputs, r.assignments) = (alone, vec![])) {
                return;
            }
        }
    }

    /// Takes outputs and assignments away one by one.
    fn results(&mut self) -> bool {
        let mut any = false;
        for i in (0..self.recipe.outputs.len()).rev() {
            any |= self.recipe.outputs.len() > 1
                && self.keep(|r| {
                    r.outputs.remove(i);
                });
        }
        for i in (0..self.recipe.assignments.len()).rev() {
            any |= self.keep(|r| {
                r.assignments.remove(i);
            });
        }
        any
    }

    /// Puts inputs in the place of what a step computes.
    fn cut(&mut self) -> bool {
        let mut any = false;
        let mut i = self.recipe.steps.len();
        while i > 0 {
            i -= 1;
            let Some(leaves) = self.leaves_like(i) else { continue };
            any |= self.keep(|r| r.replace(i, leaves));
            i = i.min(self.recipe.steps.len());
        }
        any
    }

    /// Inputs of the shapes of a computed step's results.
    fn leaves_like(&self, i: usize) -> Option<Vec<RecipeStep>> {
        if matches!(self.recipe.steps.get(i)?, RecipeStep::Leaf(_)) {
            return None;
        }
        let (question, made) = self.recipe.build_with_values().ok()?;
        let free = self.recipe.steps.iter().map(|s| if let RecipeStep::Leaf(l) = s { l.stream } else { 0 }).max()? + 1;
        let leaf = |(part, &v): (usize, _)| {
            let (shape, dtype) = (question.graph.shape(v).to_vec(), question.graph.dtype(v));
            let draw = if dtype.is_float() { Draw::Uniform(-2.0, 2.0) } else { Draw::Integers(0, 2) };
            RecipeStep::Leaf(Leaf { kind: LeafKind::Input, shape, dtype, draw, stream: free + part as u32 })
        };
        Some(made[i].iter().enumerate().map(leaf).collect())
    }

    /// Lets readers of a value read one of the operands of its step, or an earlier output.
    fn bypass(&mut self) -> bool {
        let mut any = false;
        for step in (0..self.recipe.steps.len()).rev() {
            let Some(mut own) = self.recipe.steps.get(step).cloned() else { continue };
            let mut operands = vec![];
            own.values(&mut |v| operands.push(*v));
            for to in operands {
                any |= self.keep(|r| r.redirect(V { step, part: 0 }, to));
            }
        }
        any
    }

    fn arguments(&mut self) -> bool {
        let mut any = false;
        for i in 0..self.recipe.steps.len() {
            let simpler = match self.recipe.steps.get(i) {
                // Which gradients are taken follows from what is read of them.
                Some(RecipeStep::Call(Call::Grad { .. }) | RecipeStep::Leaf(_) | RecipeStep::Pack(..)) | None => {
                    continue;
                }
                Some(RecipeStep::Call(call)) => call.simpler(),
            };
            for call in simpler {
                any |= self.keep(|r| r.steps[i] = RecipeStep::Call(call));
                if i >= self.recipe.steps.len() {
                    break;
                }
            }
        }
        any
    }

    /// Makes an extent smaller wherever it stands.
    fn extents(&mut self) -> bool {
        let mut all = BTreeSet::new();
        let mut collect = self.recipe.clone();
        each_extent(&mut collect, &mut |n| {
            all.insert(*n);
        });
        let mut any = false;
        for n in all.into_iter().rev().filter(|&n| n > 1) {
            let mut smaller = vec![1, 2, 3, n / 2, n - 1];
            smaller.retain(|&m| m > 0 && m < n);
            smaller.dedup();
            for m in smaller {
                let replace = |r: &mut Recipe| each_extent(r, &mut |e| *e = if *e == n { m } else { *e });
                if self.keep(replace) {
                    any = true;
                    break;
                }
            }
        }
        any
    }

    /// Inputs in the place of states and constants, plain numbers in the place of others.
    fn leaves(&mut self) -> bool {
        let mut any = false;
        for i in 0..self.recipe.steps.len() {
            let Some(RecipeStep::Leaf(leaf)) = self.recipe.steps.get(i).cloned() else { continue };
            if matches!(leaf.kind, LeafKind::State | LeafKind::Constant) {
                any |= self.keep(|r| r.steps[i] = RecipeStep::Leaf(Leaf { kind: LeafKind::Input, ..leaf.clone() }));
            }
            if leaf.dtype.is_float() && !matches!(leaf.draw, Draw::Uniform(..)) {
                let draw = Draw::Uniform(-2.0, 2.0);
                any |= self.keep(|r| r.steps[i] = RecipeStep::Leaf(Leaf { draw, ..leaf }));
            }
        }
        any
    }
}

fn each_extent(recipe: &mut Recipe, visit: &mut dyn FnMut(&mut usize)) {
    for step in &mut recipe.steps {
        match step {
            RecipeStep::Leaf(leaf) => {
                leaf.shape.iter_mut().for_each(&mut *visit);
                // Indices stay inside.
                if let Draw::Integers(0, high) = &mut leaf.draw {
                    let mut extent = *high as usize;
                    visit(&mut extent);
                    *high = extent as i64;
                }
            }
            RecipeStep::Call(call) => call.extents(visit),
            RecipeStep::Pack(..) => {}
        }
    }
}
