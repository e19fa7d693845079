//! Elements moved without computing: reshape, transpose, slice, broadcast.

use super::rules::{Backward, Cotangents, NodeShapes, Role, Rules, one};
use crate::axis::Axis;
use crate::error::Result;
use crate::graph::{Graph, Var};
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
