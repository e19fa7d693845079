//! Reverse-mode differentiation: appends the backward pass to the graph, over the subset of nodes that needs it.

pub(crate) mod expr;
mod parts;
mod recompute;

use crate::error::{GraphError, Result};
use crate::graph::{Graph, Var};
use crate::op::Op;
use expr::{E, Tape};
use parts::Cotangent;
use recompute::Recomputation;

impl Graph {
    /// Gradients of `sum(y * cotangent)` with respect to each of `wrt` (`cotangent` None: of a single number y).
    /// Values on which y does not depend get zeros.
    ///
    /// # Errors
    /// If a value is of another graph, y is no float, has more than one element and no cotangent, the cotangent's shape differs, or an op on the way has no
    /// gradient.
    pub fn grad(&mut self, y: Var, cotangent: Option<Var>, wrt: &[Var]) -> Result<Vec<Var>> {
        self.grad_with(y, cotangent, wrt, |_, needed| Recomputation::none(needed.len()))
    }

    /// [`Graph::grad`] that trades time for memory: most results of the forward pass are not kept for the backward pass but computed anew in
    /// it, one segment of the forward pass after the other (arXiv:1604.06174). About one forward pass more is computed.
    ///
    /// # Errors
    /// Those of [`Graph::grad`].
    pub fn grad_recomputing(&mut self, y: Var, cotangent: Option<Var>, wrt: &[Var]) -> Result<Vec<Var>> {
        self.grad_with(y, cotangent, wrt, Recomputation::new)
    }

    fn grad_with(
        &mut self,
        y: Var,
        cotangent: Option<Var>,
        wrt: &[Var],
        recomputation: impl FnOnce(&Graph, &[bool]) -> Recomputation,
    ) -> Result<Vec<Var>> {
        self.check_own("grad", &[y])?;
        self.check_own("grad", wrt)?;
        self.check_own("grad", cotangent.as_slice())?;
        if !self.dtype(y).is_float() {
            return Err(GraphError::NotDifferentiable(format!("the result is {}", self.dtype(y))));
        }
        let seed = match cotangent {
            Some(c) if self.shape(c) == self.shape(y) && self.dtype(c) == self.dtype(y) => c,
            Some(c) => {
                return Err(self.shape_error("grad", &[self.shape(y), self.shape(c)], "the cotangent differs".into()));
            }
            None if crate::shape::count(self.shape(y)) == 1 => {
                let (shape, dtype) = (self.shape(y).to_vec(), self.dtype(y));
                self.full(&shape, 1.0, dtype)?
            }
            None => return Err(GraphError::NotDifferentiable("a result of many elements needs a cotangent".into())),
        };
        let needed = self.needing_gradient(y, wrt);
        let mut again = recomputation(self, &needed);
        let mut cotangents = self.cotangents_of(y);
        cotangents[y.index()].add(self, seed)?;
        for i in (0..=y.index()).rev() {
            let Some(d) = cotangents[i].whole(self, i)?.filter(|_| needed[i]) else { continue };
            if self.nodes()[i].inputs.iter().any(|v| needed[v.index()]) {
                self.backward(self.value(i), d, &needed, &mut again, &mut cotangents)?;
            }
        }
        wrt.iter()
            .map(|&v| match cotangents.get(v.index()).and_then(Cotangent::sum) {
                Some(d) => Ok(d),
                None => {
                    let (shape, dtype) = (self.shape(v).to_vec(), self.dtype(v));
                    self.full(&shape, 0.0, dtype)
                }
            })
            .collect()
    }

    /// For each node up to y: does it depend on one of `wrt` through differentiable values?
    fn needing_gradient(&self, y: Var, wrt: &[Var]) -> Vec<bool> {
        let mut needed = vec![false; y.index() + 1];
        for (i, node) in self.nodes()[..=y.index()].iter().enumerate() {
            let asked = wrt.iter().any(|v| v.index() == i);
            let through =
                node.dtype.is_float() && !is_detached(self, node) && node.inputs.iter().any(|v| needed[v.index()]);
            needed[i] = asked || through;
        }
        needed
    }

    fn backward(
        &mut self,
        v: Var,
        d: Var,
        needed: &[bool],
        again: &mut Recomputation,
        cotangents: &mut [Cotangent],
    ) -> Result<()> {
        let inputs = self.node(v).inputs.clone();
        let node = again.node(self, v);
        let parts = crate::ops::cotangents(self, node, d, &|x: Var| needed[again.original(x).index()])?;
        for (&input, part) in inputs.iter().zip(parts) {
            let (Some(part), true) = (part, needed[input.index()]) else { continue };
            cotangents[input.index()].add(self, part)?;
        }
        Ok(())
    }
}

/// A cast to the same type stops gradients.
fn is_detached(graph: &Graph, node: &crate::graph::Node) -> bool {
    matches!(node.op, Op::Cast(to) if graph.dtype(node.inputs[0]) == to)
}

/// Evaluates a rule written in expressions.
pub(crate) fn rule(
    graph: &mut Graph,
    values: &[Var],
    f: impl for<'g> FnOnce(&[E<'g>]) -> Vec<Option<E<'g>>>,
) -> Result<Vec<Option<Var>>> {
    let tape = Tape::new(std::mem::take(graph));
    let values: Vec<E<'_>> = values.iter().map(|&v| E::new(&tape, v)).collect();
    let result = f(&values).into_iter().map(|e| e.map(|e| e.var)).collect();
    let (recorded, outcome) = tape.finish();
    *graph = recorded;
    outcome.map(|()| result)
}
