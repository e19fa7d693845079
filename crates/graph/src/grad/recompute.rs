//! Which results of the forward pass are computed anew for the backward pass, so that they need not be kept until then (arXiv:1604.06174).
//! The forward pass is cut where few bytes cross; what lies between two cuts is recorded once more when its gradients are.

use crate::graph::{Graph, Var};
use crate::ops::{Role, role};
use crate::shape::count;
use std::collections::HashMap;

/// Sizes of segments that are tried, as shares of everything.
const SEGMENTS: usize = 32;

/// The segments of a forward pass and what has been recorded again of them.
pub(super) struct Recomputation {
    /// Segment of each node; the last segment and what needs no gradient have none.
    segments: Vec<Option<usize>>,
    /// Values that are read behind their segment, and stay.
    kept: Vec<bool>,
    copies: HashMap<Var, Var>,
    originals: HashMap<Var, Var>,
}

impl Recomputation {
    /// Nothing is computed anew.
    pub(super) fn none(nodes: usize) -> Recomputation {
        let (copies, originals) = (HashMap::new(), HashMap::new());
        Recomputation { segments: vec![None; nodes], kept: vec![true; nodes], copies, originals }
    }

    /// Segments of the nodes up to the last of `needed`, those on which a gradient depends.
    pub(super) fn new(graph: &Graph, needed: &[bool]) -> Recomputation {
        let mut this = Recomputation::none(needed.len());
        let forward = Forward::new(graph, needed);
        let cuts = forward.best_cuts();
        let mut segment = 0;
        for (i, &needed) in needed.iter().enumerate() {
            while cuts.get(segment).is_some_and(|&cut| i > cut) {
                segment += 1;
            }
            // What is behind the last cut is there when the backward pass begins.
            let Some(&cut) = cuts.get(segment) else { break };
            this.segments[i] = needed.then_some(segment);
            this.kept[i] = forward.last_use[i] > cut || matches!(role(&graph.nodes()[i].op), Role::Leaf);
        }
        this
    }

    /// The node whose operands' cotangents are to be found in the place of one of the forward pass: it reads what is computed anew.
    pub(super) fn node(&mut self, graph: &mut Graph, v: Var) -> Var {
        if self.segments[v.index()].is_none() || self.is_copied(v) {
            return self.value(graph, v);
        }
        let inputs = graph.node(v).inputs.clone();
        let read: Vec<Var> = inputs.iter().map(|&input| self.value(graph, input)).collect();
        if read == inputs {
            return v;
        }
        // The value itself stays; where its gradient asks for it, this last op is made again.
        let copy = graph.push_copy(v, read);
        self.originals.insert(copy, v);
        copy
    }

    /// The value that stands for one of the forward pass in the backward pass: itself, or what is computed anew.
    fn value(&mut self, graph: &mut Graph, v: Var) -> Var {
        // A path through a segment may be long: no recursion.
        let mut stack = vec![v];
        while let Some(&v) = stack.last() {
            let inputs = graph.node(v).inputs.clone();
            let missing = inputs.iter().filter(|input| self.is_copied(**input) && !self.copies.contains_key(*input));
            let missing: Vec<Var> = missing.copied().collect();
            if !self.is_copied(v) || self.copies.contains_key(&v) {
                stack.pop();
            } else if missing.is_empty() {
                let inputs = inputs.iter().map(|input| self.copies.get(input).copied().unwrap_or(*input)).collect();
                let copy = graph.push_copy(v, inputs);
                self.copies.insert(v, copy);
                self.originals.insert(copy, v);
                stack.pop();
            } else {
                stack.extend(missing);
            }
        }
        self.copies.get(&v).copied().unwrap_or(v)
    }

    /// The value of the forward pass that this one stands for.
    pub(super) fn original(&self, v: Var) -> Var {
        self.originals.get(&v).copied().unwrap_or(v)
    }

    fn is_copied(&self, v: Var) -> bool {
        let i = v.index();
        self.segments.get(i).is_some_and(Option::is_some) && !self.kept[i]
    }
}

/// What the forward pass keeps in memory.
struct Forward {
    /// Node that reads each value last.
    last_use: Vec<usize>,
    /// Bytes that each node's kernel writes.
    written: Vec<u64>,
    /// Bytes that are alive between each node and the next.
    crossing: Vec<u64>,
}

impl Forward {
    fn new(graph: &Graph, needed: &[bool]) -> Forward {
        let nodes = graph.nodes();
        let mut last_use: Vec<usize> = (0..nodes.len()).collect();
        for (i, node) in nodes.iter().enumerate() {
            node.inputs.iter().for_each(|input| last_use[input.index()] = i);
        }
        let bytes = |i: usize| (count(&nodes[i].shape) * nodes[i].dtype.size()) as u64;
        let role = |i: usize| role(&nodes[i].op);
        let own = |i: usize| needed[i] && matches!(role(i), Role::Structural | Role::Reduce);
        let written = (0..needed.len()).map(|i| if own(i) { bytes(i) } else { 0 }).collect();
        let mut changes = vec![0i128; needed.len() + 1];
        for i in (0..needed.len()).filter(|&i| needed[i] && role(i) != Role::Leaf) {
            changes[i] += i128::from(bytes(i));
            changes[last_use[i].min(needed.len())] -= i128::from(bytes(i));
        }
        let alive = changes.iter().scan(0i128, |sum, change| {
            *sum += change;
            Some(*sum as u64)
        });
        let crossing = alive.take(needed.len()).collect();
        Forward { last_use, written, crossing }
    }

    /// The cuts that leave least in memory: what crosses them, and one segment.
    fn best_cuts(&self) -> Vec<usize> {
        let total: u64 = self.written.iter().sum();
        let tried = (1..SEGMENTS as u64).map(|part| self.cuts((total * part).div_ceil(SEGMENTS as u64).max(1)));
        let best = tried.min_by_key(|cuts| self.peak(cuts)).unwrap_or_default();
        // What is computed again for less is not worth it.
        if self.peak(&best) * 10 > self.peak(&[]) * 9 { vec![] } else { best }
    }

    /// Cuts where least crosses, with at most about `budget` bytes between two.
    fn cuts(&self, budget: u64) -> Vec<usize> {
        let (mut cuts, mut start, mut bytes) = (vec![], 0, 0);
        let mut best: Option<usize> = None;
        let mut i = 0;
        while i < self.written.len() {
            bytes += self.written[i];
            if bytes > budget
                && let Some(cut) = best.take()
            {
                cuts.push(cut);
                (start, bytes, i) = (cut + 1, 0, cut + 1);
                continue;
            }
            let least = best.is_none_or(|best| self.crossing[i] <= self.crossing[best]);
            if i > start && bytes * 2 >= budget && least {
                best = Some(i);
            }
            i += 1;
        }
        cuts
    }

    /// Bytes that cross the cuts and those of the largest segment.
    fn peak(&self, cuts: &[usize]) -> u64 {
        let crossing: u64 = cuts.iter().map(|&cut| self.crossing[cut]).sum();
        let starts = [0].into_iter().chain(cuts.iter().map(|cut| cut + 1));
        let ends = cuts.iter().map(|cut| cut + 1).chain([self.written.len()]);
        let largest = starts.zip(ends).map(|(start, end)| self.written[start..end].iter().sum::<u64>()).max();
        crossing + largest.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_made_where_least_crosses_and_only_if_it_saves_a_tenth() {
        let of =
            |written: [u64; 4]| Forward { last_use: vec![], written: written.to_vec(), crossing: vec![9, 0, 9, 9] };
        assert_eq!(of([50, 50, 100, 0]).best_cuts(), [1]);
        // 100 instead of 105.
        assert_eq!(of([2, 3, 100, 0]).best_cuts(), [0; 0]);
    }
}
