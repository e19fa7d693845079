//! What a graph should give: every output of every run and the arenas behind the last, with the distance that rounding explains.

use super::lanes::{Lanes, Value};
use super::recipe::Question;
use crate::draw::arena_values;
use chiaro_graph::{DType, Graph, Target};
use std::collections::BTreeMap;

/// A tensor that is compared.
pub(super) struct Expected {
    /// What it is, for messages.
    pub name: String,
    pub dtype: DType,
    pub value: Value,
}

/// Every tensor that is compared, in the order in which [`observe`](super::observe::observe) reads them. None if the reference
/// cannot tell.
pub(super) fn expect(question: &Question, pairs: usize, seed: u64) -> Option<Vec<Expected>> {
    let g = &question.graph;
    let mut arenas = BTreeMap::new();
    for arena in g.arenas() {
        arenas.insert(arena.name.clone(), Value::exact(arena_values(arena).to_f64()));
    }
    let mut lanes = Lanes { pairs, seed, arenas };
    let needed = last_readers(g);
    let mut all = vec![];
    for (run, inputs) in question.inputs.iter().enumerate() {
        let mut values: Vec<Value> = vec![];
        for i in 0..g.nodes().len() {
            let value = match needed[i] {
                None => Value::default(),
                Some(_) => lanes.node(g, i, &values, inputs, run)?,
            };
            values.push(value);
            for v in &g.nodes()[i].inputs {
                if needed[v.index()] == Some(i) {
                    values[v.index()] = Value::default();
                }
            }
        }
        for (name, v) in g.outputs() {
            let (value, dtype) = (values[v.index()].clone(), g.dtype(*v));
            all.push(Expected { name: format!("{name} of run {run}"), dtype, value });
        }
        assign(g, &values, &mut lanes);
    }
    for arena in g.arenas() {
        let value = lanes.arenas.remove(&arena.name)?;
        all.push(Expected { name: format!("arena {}", arena.name), dtype: arena.dtype, value });
    }
    Some(all)
}

fn assign(g: &Graph, values: &[Value], lanes: &mut Lanes) {
    for (target, v) in g.assignments() {
        let (arena, offset) = match target {
            Target::Arena(a) => (&g.arenas()[a.index()], 0),
            Target::State(s) => (&g.arenas()[g.states()[s.index()].arena.index()], g.states()[s.index()].offset),
        };
        let Some(old) = lanes.arenas.get_mut(&arena.name) else { continue };
        let new = &values[v.index()];
        let count = old.lanes.len().max(new.lanes.len());
        old.lanes.resize(count, old.base.clone());
        let write = |old: &mut Vec<f64>, new: &[f64]| old[offset..offset + new.len()].copy_from_slice(new);
        write(&mut old.base, &new.base);
        for (i, lane) in old.lanes.iter_mut().enumerate() {
            write(lane, new.lanes.get(i).unwrap_or(&new.base));
        }
    }
}

/// The last reader of each node that is needed; outputs and assigned values are read at the end.
pub(super) fn last_readers(g: &Graph) -> Vec<Option<usize>> {
    let end = g.nodes().len();
    let mut last = vec![None; end];
    let read = g.outputs().iter().map(|o| o.1).chain(g.assignments().iter().map(|a| a.1));
    read.for_each(|v| last[v.index()] = Some(end));
    for (i, node) in g.nodes().iter().enumerate().rev() {
        if last[i].is_some() {
            node.inputs.iter().for_each(|v| last[v.index()] = last[v.index()].or(Some(i)));
        }
    }
    last
}
