//! Changes of a recipe that keep its values' numbers right: steps taken out or replaced, dead ones dropped.

use super::arg::V;
use super::call::Call;
use super::recipe::{LeafKind, Place, Recipe, RecipeStep};
use chiaro_graph::DType;
use std::collections::BTreeSet;

impl Recipe {
    /// Visits every value that is read, those of outputs and assignments among them.
    pub fn each_value(&mut self, visit: &mut dyn FnMut(&mut V)) {
        self.steps.iter_mut().for_each(|s| s.values(visit));
        self.outputs.iter_mut().for_each(&mut *visit);
        self.assignments.iter_mut().for_each(|(_, v)| visit(v));
    }

    /// Visits every step whose state is named.
    fn each_state(&mut self, visit: &mut dyn FnMut(&mut usize)) {
        self.steps.iter_mut().for_each(|s| s.states(visit));
        for (place, _) in &mut self.assignments {
            match place {
                Place::State(step) => visit(step),
                Place::Arena(_) => {}
            }
        }
    }

    /// Puts steps of one value each in the place of step `i`, one for each of its results. With none the step must be dead.
    pub fn replace(&mut self, i: usize, with: Vec<RecipeStep>) {
        let count = with.len();
        self.steps.splice(i..=i, with);
        self.each_value(&mut |v| match v.step.cmp(&i) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => *v = V { step: i + v.part, part: 0 },
            std::cmp::Ordering::Greater => v.step = v.step + count - 1,
        });
        self.each_state(&mut |step| {
            if *step > i {
                *step = *step + count - 1;
            }
        });
    }

    /// Lets every reader of a value read another one.
    pub fn redirect(&mut self, from: V, to: V) {
        self.each_value(&mut |v| {
            if *v == from {
                *v = to;
            }
        });
    }

    /// The values that something reads, and the steps whose states are named.
    fn read(&mut self) -> (BTreeSet<V>, BTreeSet<usize>) {
        let (mut values, mut states) = (BTreeSet::new(), BTreeSet::new());
        self.each_value(&mut |v| {
            values.insert(*v);
        });
        self.each_state(&mut |s| {
            states.insert(*s);
        });
        (values, states)
    }

    /// Drops what neither outputs nor assignments need: steps, and gradients among those that a step takes.
    pub fn prune(&mut self) {
        for i in (0..self.steps.len()).rev() {
            let (values, states) = self.read();
            let arena = |dtype: DType| {
                self.assignments.iter().any(|(p, _)| *p == Place::Arena(dtype))
                    || self.steps.iter().any(|s| matches!(s, RecipeStep::Pack(d, _) if *d == dtype))
                    || self
                        .steps
                        .iter()
                        .any(|s| matches!(s, RecipeStep::Leaf(l) if l.kind == LeafKind::Arena && l.dtype == dtype))
            };
            // What reads or writes a whole arena sees how its states lie.
            let layout = matches!(&self.steps[i], RecipeStep::Leaf(l) if l.kind == LeafKind::State && arena(l.dtype));
            if !layout && !states.contains(&i) && !values.iter().any(|v| v.step == i) {
                self.replace(i, vec![]);
            } else {
                self.prune_gradients(i, &values);
            }
        }
    }

    fn prune_gradients(&mut self, i: usize, values: &BTreeSet<V>) {
        let RecipeStep::Call(Call::Grad { wrt, .. }) = &mut self.steps[i] else { return };
        let kept: Vec<usize> = (0..wrt.len()).filter(|&part| values.contains(&V { step: i, part })).collect();
        *wrt = kept.iter().map(|&part| wrt[part]).collect();
        self.each_value(&mut |v| {
            if v.step == i {
                v.part = kept.iter().position(|&part| part == v.part).unwrap_or(v.part);
            }
        });
    }
}
