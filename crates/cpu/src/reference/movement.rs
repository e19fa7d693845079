//! Ops that move elements without computing: each element of the result looks up where it comes from.

use super::value::{Value, build};
use chiaro_graph::{Graph, StateId};

pub(super) fn transpose(x: Value<'_>, perm: &[usize], shape: &[usize]) -> Vec<f64> {
    let mut source = vec![0; perm.len()];
    build(shape, |index| {
        perm.iter().zip(index).for_each(|(&p, &i)| source[p] = i);
        x.at(&source)
    })
}

pub(super) fn broadcast(x: Value<'_>, shape: &[usize]) -> Vec<f64> {
    let mut source = vec![0; shape.len()];
    build(shape, |index| {
        for (axis, &i) in index.iter().enumerate() {
            source[axis] = if x.shape[axis] == 1 { 0 } else { i };
        }
        x.at(&source)
    })
}

pub(super) fn slice(x: Value<'_>, start: &[usize], step: &[isize], shape: &[usize]) -> Vec<f64> {
    let mut source = vec![0; shape.len()];
    build(shape, |index| {
        for (axis, &i) in index.iter().enumerate() {
            source[axis] = (start[axis] as isize + step[axis] * i as isize) as usize;
        }
        x.at(&source)
    })
}

pub(super) fn pad(x: Value<'_>, low: &[usize], value: f64, shape: &[usize]) -> Vec<f64> {
    build(shape, |index| {
        let source: Option<Vec<usize>> =
            (0..index.len()).map(|axis| index[axis].checked_sub(low[axis]).filter(|&i| i < x.shape[axis])).collect();
        source.map_or(value, |source| x.at(&source))
    })
}

pub(super) fn concat(parts: &[Value<'_>], axis: usize, shape: &[usize]) -> Vec<f64> {
    build(shape, |index| {
        let mut source = index.to_vec();
        for part in parts {
            if source[axis] < part.shape[axis] {
                return part.at(&source);
            }
            source[axis] -= part.shape[axis];
        }
        f64::NAN
    })
}

pub(super) fn pack(graph: &Graph, states: &[StateId], parts: &[Value<'_>], shape: &[usize]) -> Vec<f64> {
    let mut out = vec![0.0; shape[0]];
    for (state, part) in states.iter().zip(parts) {
        let offset = graph.states()[state.index()].offset;
        out[offset..offset + part.data.len()].copy_from_slice(part.data);
    }
    out
}
