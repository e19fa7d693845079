//! Softmax and its logarithm.

use super::rules::{Backward, Cotangents, NodeShapes, Role, Rules};
use crate::axis::Axis;
use crate::elementwise::Elementwise;
use crate::error::Result;
use crate::grad::rule;
use crate::graph::{Graph, Var};
use crate::op::Op;
use crate::plan::Kernel;
use crate::shape::count;

impl Graph {
    /// Softmax, or its logarithm, along an axis; the row's largest element is subtracted first.
    ///
    /// # Errors
    /// If the axis does not fit or x is no float.
    pub fn softmax(&mut self, x: Var, axis: impl Axis, log: bool) -> Result<Var> {
        let axis = self.axis("softmax", x, axis)?;
        self.check_floats("softmax", &[x])?;
        let shape = self.shape(x).to_vec();
        let last = shape.len() - 1;
        if axis != last {
            let mut perm: Vec<usize> = (0..shape.len()).collect();
            perm.swap(axis, last);
            let moved = self.transpose(x, &perm)?;
            let y = self.softmax(moved, last, log)?;
            return self.transpose(y, &perm);
        }
        let dtype = self.dtype(x);
        Ok(self.push(Op::Softmax { log }, vec![x], shape, dtype))
    }
}

fn softmax_gradient(g: &mut Graph, y: Var, d: Var, log: bool) -> Result<Vec<Option<Var>>> {
    let last = g.shape(y).len() - 1;
    rule(g, &[y, d], |e| {
        let (y, d) = (e[0], e[1]);
        vec![Some(if log { d - y.map(Elementwise::Exp) * d.sum(&[last]) } else { y * (d - (d * y).sum(&[last])) })]
    })
}

/// Softmax along the last axis, or its logarithm.
pub(super) struct Softmax {
    pub log: bool,
}

impl Rules for Softmax {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        let n = place.result().last().copied().unwrap_or(1);
        Some(Kernel::Softmax { rows: count(place.result()) / n.max(1), n, log: self.log })
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        softmax_gradient(at.graph, at.node, at.d, self.log)
    }
}
