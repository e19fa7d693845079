//! Calls that move elements: views, slices, padding, joints.

use super::super::arg::V;
use super::super::call::Call;
use super::Gen;
use chiaro_graph::DType;

/// A value of any type, bools and integers among them.
fn anything(g: &mut Gen) -> Option<V> {
    if g.rng.percent(85) { g.float() } else { g.some(|_, _| true) }
}

/// One call that moves elements.
pub(super) fn movement(g: &mut Gen) -> Option<V> {
    let x = anything(g)?;
    let shape = g.shape(x);
    match g.rng.below(6) {
        0 => {
            let shape = reshaped(g, &shape);
            g.call(Call::Reshape { x, shape })
        }
        1 => {
            let perm = g.rng.permutation(shape.len());
            g.call(Call::Transpose { x, perm })
        }
        2 => slice(g, x, &shape),
        3 => narrow(g, x, &shape),
        4 => pad(g, x, &shape),
        _ => broadcast(g, x, &shape),
    }
}

/// Another shape of as many elements: axes split, joined, or of extent 1 put in.
fn reshaped(g: &mut Gen, shape: &[usize]) -> Vec<usize> {
    let mut shape = shape.to_vec();
    match g.rng.below(4) {
        0 => shape.insert(g.rng.within(0, shape.len()), 1),
        1 => return vec![shape.iter().product()],
        2 if shape.len() > 1 => {
            let axis = g.rng.below(shape.len() - 1);
            let next = shape.remove(axis + 1);
            shape[axis] *= next;
        }
        _ => {
            let Some(axis) = (!shape.is_empty()).then(|| g.rng.below(shape.len())) else { return vec![1, 1] };
            let factors: Vec<usize> = (1..=shape[axis]).filter(|f| shape[axis].is_multiple_of(*f)).collect();
            let factor = g.rng.pick(&factors);
            shape[axis] /= factor;
            shape.insert(axis, factor);
        }
    }
    shape
}

/// Steps of either sign on every axis.
fn slice(g: &mut Gen, x: V, shape: &[usize]) -> Option<V> {
    let (mut start, mut len, mut step) = (vec![], vec![], vec![]);
    for &n in shape {
        let by = if g.rng.percent(50) { 1 } else { g.rng.pick(&[1, 2, 3, -1, -1, -2]) };
        let first = g.rng.below(n);
        let room = if by > 0 { n - 1 - first } else { first };
        let most = room / (by as isize).unsigned_abs() + 1;
        start.push(first);
        len.push(g.rng.within(1, most));
        step.push(by as isize);
    }
    g.call(Call::Slice { x, start, len, step })
}

fn narrow(g: &mut Gen, x: V, shape: &[usize]) -> Option<V> {
    if shape.is_empty() {
        return None;
    }
    let axis = if g.rng.percent(40) { 0 } else { g.rng.below(shape.len()) };
    let start = if g.rng.percent(50) { 0 } else { g.rng.below(shape[axis]) };
    let end = g.rng.within(start + 1, shape[axis]);
    g.call(Call::Narrow { x, axis, start, end })
}

/// Most axes are left as they are; often nothing is in front.
fn pad(g: &mut Gen, x: V, shape: &[usize]) -> Option<V> {
    let amounts = |g: &mut Gen, p: usize| -> Vec<usize> {
        shape.iter().map(|_| if g.rng.percent(p) { g.rng.within(1, 3) } else { 0 }).collect()
    };
    let (low, high) = (if g.rng.percent(40) { vec![0; shape.len()] } else { amounts(g, 40) }, amounts(g, 40));
    let value = if g.dtype(x).is_float() { g.rng.pick(&[0.0, 0.0, 0.5, -1.0]) } else { g.rng.pick(&[0.0, 1.0]) };
    g.call(Call::Pad { x, low, high, value })
}

fn broadcast(g: &mut Gen, x: V, shape: &[usize]) -> Option<V> {
    let mut wider: Vec<usize> = shape.to_vec();
    for n in wider.iter_mut().filter(|n| **n == 1) {
        *n = g.sizes.extent(&mut g.rng);
    }
    if g.rng.percent(40) || wider == shape {
        wider.insert(0, g.sizes.extent(&mut g.rng));
    }
    g.call(Call::BroadcastTo { x, shape: wider })
}

/// Joins two to four values, of which some may be the same.
pub(super) fn concat(g: &mut Gen) -> Option<V> {
    let x = anything(g)?;
    if g.shape(x).is_empty() {
        return None;
    }
    let axis = if g.rng.percent(40) { 0 } else { g.rng.below(g.shape(x).len()) };
    join(g, x, axis)
}

/// Joins a value with others along an axis.
pub(super) fn join(g: &mut Gen, x: V, axis: usize) -> Option<V> {
    let (shape, dtype) = (g.shape(x), g.dtype(x));
    let fits = |g: &Gen, v: V| {
        let s = g.shape(v);
        g.dtype(v) == dtype && s.len() == shape.len() && (0..s.len()).all(|i| i == axis || s[i] == shape[i])
    };
    let mut operands = vec![x];
    for _ in 0..g.rng.within(1, 3) {
        let there = g.rng.percent(75).then(|| g.some(fits)).flatten();
        let other = match there {
            Some(v) => v,
            None if dtype.is_float() => {
                let mut own = shape.clone();
                own[axis] = g.sizes.extent(&mut g.rng);
                g.float_like(&own, dtype)?
            }
            None => x,
        };
        let at = g.rng.within(0, operands.len());
        operands.insert(at, other);
    }
    g.call(Call::Concat { operands, axis })
}

/// A number, or a tensor of one number.
pub(super) fn filled(g: &mut Gen) -> Option<V> {
    let (value, rank) = (g.rng.pick(&[0.0, 1.0, -0.5, 2.5]), g.rng.within(0, 4));
    let dtype = if g.halves && g.rng.percent(30) { DType::F16 } else { DType::F32 };
    if rank == 0 {
        return g.call(Call::Scalar { value, dtype });
    }
    let shape = g.sizes.shape(&mut g.rng, rank);
    g.call(Call::Full { shape, value, dtype })
}
