//! Elements moved without computing: reshape, transpose, slice, pad, concat, broadcast.

use super::rules::{Backward, Cotangents, NodeShapes, Role, Rules, one};
use crate::axis::Axis;
use crate::error::{GraphError, Result};
use crate::graph::{ArenaId, Graph, StateId, Var};
use crate::op::Op;
use crate::plan::Kernel;
use crate::shape::{count, with_rank};

impl Graph {
    /// The same elements in the same order under another shape.
    ///
    /// # Errors
    /// If the numbers of elements differ.
    pub fn reshape(&mut self, x: Var, shape: &[usize]) -> Result<Var> {
        self.check_own("reshape", &[x])?;
        self.check_extents("reshape", shape)?;
        if count(self.shape(x)) != count(shape) {
            return Err(self.shape_error("reshape", &[self.shape(x), shape], "numbers of elements differ".into()));
        }
        Ok(self.view(x, shape))
    }

    /// Reshape whose counts are known to agree.
    pub(crate) fn view(&mut self, x: Var, shape: &[usize]) -> Var {
        if self.shape(x) == shape {
            return x;
        }
        let node = self.node(x);
        let (source, dtype) = if node.op == Op::Reshape { (node.inputs[0], node.dtype) } else { (x, node.dtype) };
        if self.shape(source) == shape {
            return source;
        }
        self.push(Op::Reshape, vec![source], shape.to_vec(), dtype)
    }

    /// Broadcasts to a shape that the operand is known to broadcast to.
    pub(crate) fn expand(&mut self, x: Var, shape: &[usize]) -> Var {
        if self.shape(x) == shape {
            return x;
        }
        let aligned = with_rank(self.shape(x), shape.len());
        let x = self.view(x, &aligned);
        if self.shape(x) == shape {
            return x;
        }
        let dtype = self.dtype(x);
        self.push(Op::Broadcast, vec![x], shape.to_vec(), dtype)
    }

    /// Repeats axes of extent 1 (and new leading ones) to a shape.
    ///
    /// # Errors
    /// If the operand does not broadcast to it.
    pub fn broadcast_to(&mut self, x: Var, shape: &[usize]) -> Result<Var> {
        self.check_own("broadcast_to", &[x])?;
        self.check_extents("broadcast_to", shape)?;
        if crate::shape::broadcast(self.shape(x), shape).as_deref() != Some(shape) {
            return Err(self.shape_error("broadcast_to", &[self.shape(x), shape], "does not broadcast".into()));
        }
        Ok(self.expand(x, shape))
    }

    /// Permutes axes: axis `i` of the result is axis `perm[i]` of the operand.
    ///
    /// # Errors
    /// If `perm` is no permutation of the axes.
    pub fn transpose(&mut self, x: Var, perm: &[impl Axis]) -> Result<Var> {
        self.check_own("transpose", &[x])?;
        let shape = self.shape(x);
        let positions: Option<Vec<usize>> = perm.iter().map(|p| p.position(shape.len())).collect();
        let mut seen = vec![false; shape.len()];
        let fits = |p: &Vec<usize>| p.len() == shape.len() && p.iter().all(|&p| !std::mem::replace(&mut seen[p], true));
        let Some(perm) = positions.filter(fits) else {
            return Err(self.shape_error("transpose", &[shape], format!("{perm:?} is no permutation of the axes")));
        };
        if perm.iter().enumerate().all(|(i, &p)| i == p) {
            return Ok(x);
        }
        let (out, dtype) = (perm.iter().map(|&p| shape[p]).collect(), self.dtype(x));
        Ok(self.push(Op::Transpose(perm), vec![x], out, dtype))
    }

    /// Elements `start`, `start + step`, ... of each axis, `len` of them. Steps may be negative.
    ///
    /// # Errors
    /// If ranks differ, a step is 0 or an index falls outside.
    pub fn slice(&mut self, x: Var, start: &[usize], len: &[usize], step: &[isize]) -> Result<Var> {
        self.check_own("slice", &[x])?;
        let shape = self.shape(x);
        let rank = shape.len();
        // 128 bits hold every product of a length and a step.
        let inside = |i: usize| {
            let last = start[i] as i128 + step[i] as i128 * (len[i] as i128 - 1);
            step[i] != 0 && len[i] > 0 && start[i] < shape[i] && (0..shape[i] as i128).contains(&last)
        };
        if [start.len(), len.len(), step.len()] != [rank; 3] || !(0..rank).all(inside) {
            let detail = format!("start {start:?}, length {len:?}, step {step:?} fall outside");
            return Err(self.shape_error("slice", &[shape], detail));
        }
        // The step of a single element is never taken, and may be as large as it likes.
        let step: Vec<isize> = step.iter().zip(len).map(|(&step, &len)| if len == 1 { 1 } else { step }).collect();
        if shape == len && step.iter().all(|&s| s == 1) {
            return Ok(x);
        }
        let dtype = self.dtype(x);
        Ok(self.push(Op::Slice { start: start.to_vec(), step }, vec![x], len.to_vec(), dtype))
    }

    /// Elements `start..end` of one axis.
    ///
    /// # Errors
    /// If the range is empty or falls outside.
    pub fn narrow(&mut self, x: Var, axis: impl Axis, start: usize, end: usize) -> Result<Var> {
        let axis = self.axis("narrow", x, axis)?;
        let mut len = self.shape(x).to_vec();
        if start >= end {
            return Err(self.shape_error("narrow", &[&len], format!("no range {start}..{end} on axis {axis}")));
        }
        let (mut starts, steps) = (vec![0; len.len()], vec![1; len.len()]);
        (starts[axis], len[axis]) = (start, end - start);
        self.slice(x, &starts, &len, &steps)
    }

    /// Puts `value` around the operand: `low` elements in front and `high` behind, per axis.
    ///
    /// # Errors
    /// If the amounts' ranks differ from the operand's, the result is too large, or x is of a type that cannot hold the value.
    pub fn pad(&mut self, x: Var, low: &[usize], high: &[usize], value: f64) -> Result<Var> {
        self.check_own("pad", &[x])?;
        let shape = self.shape(x);
        if low.len() != shape.len() || high.len() != shape.len() {
            return Err(self.shape_error("pad", &[shape, low, high], "one amount an axis is needed".into()));
        }
        let dtype = self.dtype(x);
        let value = self.number("pad", value, dtype)?;
        if low.iter().chain(high).all(|&n| n == 0) {
            return Ok(x);
        }
        let extent = |i: usize| shape[i].checked_add(low[i])?.checked_add(high[i]);
        let Some(out) = (0..shape.len()).map(extent).collect() else {
            return Err(self.shape_error(
                "pad",
                &[shape, low, high],
                "more padding than a computer can address".into(),
            ));
        };
        let op = Op::Pad { low: low.to_vec(), high: high.to_vec(), value };
        self.record("pad", op, vec![x], out, dtype)
    }

    /// Joins operands along an axis.
    ///
    /// # Errors
    /// If there is no operand, or types or other extents differ.
    pub fn concat(&mut self, operands: &[Var], axis: impl Axis) -> Result<Var> {
        let Some(&first) = operands.first() else {
            return Err(self.shape_error("concat", &[], "there is nothing to join".into()));
        };
        self.check_own("concat", operands)?;
        let axis = self.axis("concat", first, axis)?;
        let shapes: Vec<Vec<usize>> = operands.iter().map(|&v| self.shape(v).to_vec()).collect();
        let views: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        let first = &shapes[0];
        let fits = |s: &Vec<usize>| s.len() == first.len() && (0..s.len()).all(|i| i == axis || s[i] == first[i]);
        if !shapes.iter().all(fits) {
            return Err(self.shape_error("concat", &views, format!("extents other than axis {axis} differ")));
        }
        let dtypes: Vec<_> = operands.iter().map(|&v| self.dtype(v)).collect();
        if dtypes.iter().any(|&d| d != dtypes[0]) {
            return Err(self.dtype_error("concat", &dtypes, "types differ".into()));
        }
        if operands.len() == 1 {
            return Ok(operands[0]);
        }
        let mut out = first.clone();
        out[axis] = shapes.iter().fold(0, |sum: usize, s| sum.saturating_add(s[axis]));
        self.record("concat", Op::Concat(axis), operands.to_vec(), out, dtypes[0])
    }

    /// Lays values out as the states of an arena are, zeros elsewhere: a flat vector of the arena's length.
    ///
    /// # Errors
    /// If a value's shape or type differs from its state's, a state is named twice, or something is of another graph.
    pub fn pack(&mut self, arena: ArenaId, values: &[(StateId, Var)]) -> Result<Var> {
        let (len, dtype) = self.take_arena("pack", arena)?;
        let mut named = std::collections::HashSet::new();
        for &(state, v) in values {
            self.check_own("pack", &[v])?;
            let want = self.state_info("pack", state)?;
            if !named.insert(state) {
                return Err(GraphError::DuplicateName(want.name.clone()));
            }
            if want.shape != self.shape(v) || want.arena != arena {
                return Err(self.shape_error("pack", &[&want.shape, self.shape(v)], format!("{} differs", want.name)));
            }
            if self.dtype(v) != dtype {
                return Err(self.dtype_error("pack", &[dtype, self.dtype(v)], "types differ".into()));
            }
        }
        let (states, inputs) = values.iter().copied().unzip();
        Ok(self.push(Op::Pack(arena, states), inputs, vec![len], dtype))
    }
}

/// The same elements under another shape.
pub(super) struct Reshape;

impl Rules for Reshape {
    fn role(&self) -> Role {
        Role::Movement
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        let shape = at.shape(0);
        one(at.graph.reshape(at.d, &shape))
    }
}

/// Axes in another order.
pub(super) struct Transpose<'a>(pub &'a [usize]);

impl Rules for Transpose<'_> {
    fn role(&self) -> Role {
        Role::Movement
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        let mut inverse = vec![0; self.0.len()];
        self.0.iter().enumerate().for_each(|(i, &p)| inverse[p] = i);
        one(at.graph.transpose(at.d, &inverse))
    }
}

/// Axes of extent 1 repeated.
pub(super) struct Broadcast;

impl Rules for Broadcast {
    fn role(&self) -> Role {
        Role::Movement
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        let shape = at.shape(0);
        one(at.graph.sum_to(at.d, &shape))
    }
}

/// Some elements of each axis.
pub(super) struct Slice<'a> {
    pub start: &'a [usize],
    pub step: &'a [isize],
}

impl Rules for Slice<'_> {
    fn role(&self) -> Role {
        Role::Movement
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        let shape = at.shape(0);
        one(slice_gradient(at.graph, at.d, &shape, self.start, self.step))
    }
}

/// A constant around the operand.
pub(super) struct Pad<'a> {
    pub low: &'a [usize],
}

impl Rules for Pad<'_> {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        let shape = at.shape(0);
        one(at.graph.slice(at.d, self.low, &shape, &vec![1; shape.len()]))
    }
}

/// Operands joined along an axis.
pub(super) struct Concat(pub usize);

impl Rules for Concat {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        concat_gradient(at.graph, &at.inputs, at.d, self.0)
    }
}

/// Operands laid out as the states of an arena.
pub(super) struct Pack<'a>(pub &'a [StateId]);

impl Rules for Pack<'_> {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        pack_gradient(at.graph, &at.inputs, self.0, at.d)
    }
}

/// Undoes a slice: zeros between the elements of a step, reversal of a negative one, zeros around.
fn slice_gradient(g: &mut Graph, d: Var, shape: &[usize], start: &[usize], step: &[isize]) -> Result<Var> {
    let mut d = d;
    for axis in 0..shape.len() {
        let len = g.shape(d)[axis];
        let (mut first, stride) = (start[axis], step[axis].unsigned_abs());
        let mut starts = vec![0; shape.len()];
        let mut steps = vec![1; shape.len()];
        if step[axis] < 0 {
            first -= stride * (len - 1);
            (starts[axis], steps[axis]) = (len - 1, -1);
            let same = g.shape(d).to_vec();
            d = g.slice(d, &starts, &same, &steps)?;
        }
        if stride > 1 && len > 1 {
            let before = g.shape(d).to_vec();
            let (mut wide, mut high) = (before.clone(), vec![0; before.len() + 1]);
            wide.insert(axis + 1, 1);
            high[axis + 1] = stride - 1;
            let spread = g.reshape(d, &wide)?;
            let spread = g.pad(spread, &vec![0; wide.len()], &high, 0.0)?;
            let mut merged = before;
            merged[axis] = len * stride;
            d = g.reshape(spread, &merged)?;
            d = g.narrow(d, axis, 0, (len - 1) * stride + 1)?;
        }
        let (mut low, mut high) = (vec![0; shape.len()], vec![0; shape.len()]);
        (low[axis], high[axis]) = (first, shape[axis] - first - g.shape(d)[axis]);
        d = g.pad(d, &low, &high, 0.0)?;
    }
    Ok(d)
}

fn concat_gradient(g: &mut Graph, inputs: &[Var], d: Var, axis: usize) -> Result<Vec<Option<Var>>> {
    let mut start = 0;
    let mut parts = vec![];
    for &v in inputs {
        let end = start + g.shape(v)[axis];
        parts.push(Some(g.narrow(d, axis, start, end)?));
        start = end;
    }
    Ok(parts)
}

fn pack_gradient(g: &mut Graph, inputs: &[Var], states: &[crate::graph::StateId], d: Var) -> Result<Vec<Option<Var>>> {
    let mut parts = vec![];
    for (&v, state) in inputs.iter().zip(states) {
        let (shape, offset) = (g.shape(v).to_vec(), g.states()[state.0].offset);
        let flat = g.narrow(d, 0, offset, offset + crate::shape::count(&shape))?;
        parts.push(Some(g.reshape(flat, &shape)?));
    }
    Ok(parts)
}
