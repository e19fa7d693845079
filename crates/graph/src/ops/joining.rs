//! Several values, or one and a constant, put into one: pad, concat, pack.

use super::rules::{Backward, Cotangents, NodeShapes, Role, Rules, one};
use crate::axis::Axis;
use crate::error::{GraphError, Result};
use crate::graph::{ArenaId, Graph, StateId, Var};
use crate::op::Op;
use crate::plan::Kernel;

impl Graph {
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
