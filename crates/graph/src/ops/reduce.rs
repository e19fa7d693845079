//! Reductions.

use super::rules::{Backward, Cotangents, NodeShapes, Role, Rules, one};
use crate::axis::Axis;
use crate::dtype::DType;
use crate::elementwise::Elementwise;
use crate::error::Result;
use crate::grad::rule;
use crate::graph::{Graph, Var};
use crate::op::{Op, ReduceKind};
use crate::plan::{AxisShape, Kernel};

impl Graph {
    /// Positions of axes, in order.
    fn axes(&self, op: &str, x: Var, axes: &[impl Axis]) -> Result<Vec<usize>> {
        let mut positions = axes.iter().map(|&a| self.axis(op, x, a)).collect::<Result<Vec<usize>>>()?;
        self.check_own(op, &[x])?;
        positions.sort_unstable();
        if positions.windows(2).any(|w| w[0] == w[1]) {
            return Err(self.shape_error(op, &[self.shape(x)], format!("an axis stands twice in {axes:?}")));
        }
        Ok(positions)
    }

    /// Elements that axes of x hold together.
    fn elements(&self, x: Var, axes: &[usize]) -> f64 {
        axes.iter().map(|&a| self.shape(x)[a] as f64).product()
    }

    /// Extents with the axes removed, or set to 1.
    fn reduced_shape(&self, x: Var, axes: &[usize], keepdim: bool) -> Vec<usize> {
        let shape = self.shape(x).iter().enumerate();
        shape
            .filter(|(i, _)| keepdim || !axes.contains(i))
            .map(|(i, &n)| if axes.contains(&i) { 1 } else { n })
            .collect()
    }

    /// Reduces axes; `keepdim` leaves them with extent 1.
    ///
    /// # Errors
    /// If an axis is out of range or named twice, or x is a bool.
    pub fn reduce(&mut self, kind: ReduceKind, x: Var, axes: &[impl Axis], keepdim: bool) -> Result<Var> {
        let axes = self.axes("reduce", x, axes)?;
        if self.dtype(x) == DType::Bool {
            return Err(self.dtype_error("reduce", &[DType::Bool], "takes numbers".into()));
        }
        let (kept, dtype) = (self.reduced_shape(x, &axes, true), self.dtype(x));
        let out = self.reduced_shape(x, &axes, keepdim);
        let reduced = if kept == self.shape(x) { x } else { self.push(Op::Reduce(kind, axes), vec![x], kept, dtype) };
        Ok(self.view(reduced, &out))
    }

    /// Sum over axes.
    ///
    /// # Errors
    /// If an axis does not fit.
    pub fn sum(&mut self, x: Var, axes: &[impl Axis], keepdim: bool) -> Result<Var> {
        self.reduce(ReduceKind::Sum, x, axes, keepdim)
    }

    /// Sum of all elements.
    ///
    /// # Errors
    /// If x is a bool.
    pub fn sum_all(&mut self, x: Var) -> Result<Var> {
        self.check_own("sum_all", &[x])?;
        let axes: Vec<usize> = (0..self.shape(x).len()).collect();
        self.sum(x, &axes, false)
    }

    /// Mean over axes; floats only. The sum of 16-bit values is kept in 32 bits, where it does not overflow.
    ///
    /// # Errors
    /// If an axis does not fit or x is no float.
    pub fn mean(&mut self, x: Var, axes: &[impl Axis], keepdim: bool) -> Result<Var> {
        self.check_floats("mean", &[x])?;
        let axes = self.axes("mean", x, axes)?;
        let (n, stored) = (self.elements(x, &axes), self.dtype(x));
        let wide = self.cast(x, stored.compute())?;
        let total = self.sum(wide, &axes, keepdim)?;
        let mean = self.map_scalars(Elementwise::Mul, total, &[1.0 / n])?;
        self.cast(mean, stored)
    }

    /// Variance over axes, divided by the number of elements less `correction`, or by 0 where that is larger; the mean is subtracted
    /// first.
    ///
    /// # Errors
    /// If an axis does not fit, x is no float or the correction NaN.
    pub fn var(&mut self, x: Var, axes: &[impl Axis], keepdim: bool, correction: f64) -> Result<Var> {
        self.check_floats("var", &[x])?;
        let axes = self.axes("var", x, axes)?;
        if correction.is_nan() {
            return Err(self.shape_error("var", &[self.shape(x)], "the correction is NaN".into()));
        }
        let (n, stored) = (self.elements(x, &axes), self.dtype(x));
        let wide = self.cast(x, stored.compute())?;
        let mean = self.mean(wide, &axes, true)?;
        let deviation = self.sub(wide, mean)?;
        let square = self.unary(Elementwise::Square, deviation)?;
        let total = self.sum(square, &axes, keepdim)?;
        let variance = self.map_scalars(Elementwise::Mul, total, &[1.0 / (n - correction).max(0.0)])?;
        self.cast(variance, stored)
    }

    /// Index (i32) of the first largest (`Max`) or smallest (`Min`) element along an axis.
    ///
    /// # Errors
    /// If the axis does not fit, the kind is `Sum` or x is a bool.
    pub fn arg_reduce(&mut self, kind: ReduceKind, x: Var, axis: impl Axis, keepdim: bool) -> Result<Var> {
        let axis = self.axis("arg_reduce", x, axis)?;
        let axes = [axis];
        if kind == ReduceKind::Sum || self.dtype(x) == DType::Bool {
            return Err(self.dtype_error(
                "arg_reduce",
                &[self.dtype(x)],
                "finds the largest or smallest number".into(),
            ));
        }
        let (kept, out) = (self.reduced_shape(x, &axes, true), self.reduced_shape(x, &axes, keepdim));
        let index = self.push(Op::ArgReduce(kind, axis), vec![x], kept, DType::I32);
        Ok(self.view(index, &out))
    }

    /// Index (i32) of the first largest element along an axis.
    ///
    /// # Errors
    /// If the axis does not fit.
    pub fn argmax(&mut self, x: Var, axis: impl Axis, keepdim: bool) -> Result<Var> {
        self.arg_reduce(ReduceKind::Max, x, axis, keepdim)
    }

    /// Largest (or smallest) value along one axis whose gradient goes to the first of equals.
    ///
    /// # Errors
    /// If the axis does not fit.
    pub fn select_extreme(&mut self, kind: ReduceKind, x: Var, axis: impl Axis, keepdim: bool) -> Result<Var> {
        let axis = self.axis("select_extreme", x, axis)?;
        let index = self.arg_reduce(kind, x, axis, true)?;
        let value = self.gather(x, index, axis)?;
        let out = self.reduced_shape(x, &[axis], keepdim);
        Ok(self.view(value, &out))
    }

    /// Sums the axes along which a value was broadcast, back to `shape`.
    pub(crate) fn sum_to(&mut self, x: Var, shape: &[usize]) -> Result<Var> {
        if self.shape(x) == shape {
            return Ok(x);
        }
        let from = self.shape(x).to_vec();
        let aligned = crate::shape::with_rank(shape, from.len());
        let axes: Vec<usize> = (0..from.len()).filter(|&i| aligned[i] != from[i]).collect();
        let summed = self.sum(x, &axes, true)?;
        self.reshape(summed, shape)
    }
}

/// Equal extremes share the gradient evenly.
fn extreme_gradient(g: &mut Graph, x: Var, y: Var, d: Var) -> Result<Vec<Option<Var>>> {
    let (sx, sy) = (g.shape(x).to_vec(), g.shape(y).to_vec());
    let axes: Vec<usize> = (0..sx.len()).filter(|&i| sx[i] != sy[i]).collect();
    rule(g, &[x, y, d], |e| {
        let hit = e[0].equal(e[1]).float().like(e[2]);
        vec![Some(hit * (e[2] / hit.sum(&axes)))]
    })
}

/// Axes reduced to extent 1.
pub(super) struct Reduce(pub ReduceKind);

impl Rules for Reduce {
    fn role(&self) -> Role {
        Role::Reduce
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        match self.0 {
            ReduceKind::Sum => {
                let (shape, dtype) = (at.shape(0), at.graph.dtype(at.x()));
                let d = at.graph.cast(at.d, dtype)?;
                one(at.graph.broadcast_to(d, &shape))
            }
            ReduceKind::Max | ReduceKind::Min => {
                let x = at.x();
                extreme_gradient(at.graph, x, at.node, at.d)
            }
        }
    }
}

/// Where the largest or smallest along an axis lies.
pub(super) struct ArgReduce(pub ReduceKind, pub usize);

impl Rules for ArgReduce {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        Some(Kernel::ArgReduce(self.0, AxisShape::along(place.operand(0), self.1, 1)))
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        at.refused("")
    }
}
