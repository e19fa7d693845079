//! Selection by index, and its adjoints, which accumulate.
//!
//! An index outside is an error: of the builder where it is fixed data, of the step where it is an input or a view of one. What
//! the device computes cannot be looked at: there an index outside reads an unspecified element, never one beyond the operand.

use super::rules::{Backward, Cotangents, NodeShapes, Role, Rules};
use crate::axis::Axis;
use crate::dtype::DType;
use crate::elementwise::Elementwise;
use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::Op;
use crate::plan::Kernel;
use crate::shape::count;

impl Graph {
    fn check_index(&mut self, op: &str, [x, index]: [Var; 2], axis: usize) -> Result<()> {
        self.check_own(op, &[index])?;
        if self.dtype(index) != DType::I32 {
            return Err(self.dtype_error(op, &[self.dtype(index)], "the index must be i32".into()));
        }
        let extent = self.shape(x)[axis];
        self.bound_index(&format!("{op} of {extent}"), index, extent, None)
    }

    /// `out[.., j, ..] = x[.., index[.., j, ..], ..]` along an axis; other extents of x and index are equal.
    ///
    /// # Errors
    /// If ranks or other extents differ, or the index is no i32 or outside.
    pub fn gather(&mut self, x: Var, index: Var, axis: impl Axis) -> Result<Var> {
        let axis = self.axis("gather", x, axis)?;
        self.check_own("gather", &[index])?;
        let (sx, si) = (self.shape(x), self.shape(index));
        if sx.len() != si.len() || (0..sx.len()).any(|i| i != axis && sx[i] != si[i]) {
            return Err(self.shape_error("gather", &[sx, si], format!("extents other than axis {axis} must be equal")));
        }
        self.check_index("gather", [x, index], axis)?;
        let (shape, dtype) = (self.shape(index).to_vec(), self.dtype(x));
        Ok(self.push(Op::Gather(axis), vec![x, index], shape, dtype))
    }

    /// Slices of x along an axis, in the order of `index` `[m]`.
    ///
    /// # Errors
    /// If the axis does not fit or the index is no i32 vector or outside.
    pub fn index_select(&mut self, x: Var, index: Var, axis: impl Axis) -> Result<Var> {
        let axis = self.axis("index_select", x, axis)?;
        self.check_index("index_select", [x, index], axis)?;
        let &[m] = self.shape(index) else {
            let shapes = [self.shape(x), self.shape(index)];
            return Err(self.shape_error("index_select", &shapes, "takes an index [m]".into()));
        };
        let mut shape = self.shape(x).to_vec();
        shape[axis] = m;
        let dtype = self.dtype(x);
        self.record("index_select", Op::IndexSelect(axis), vec![x, index], shape, dtype)
    }

    /// Rows of weight `[V,D]` for an index of any shape: `[...]` to `[..., D]`. Rows equal to `padding_index` get no gradient.
    ///
    /// # Errors
    /// If the weight has not two axes, the index is no i32 or outside, or so is `padding_index`.
    pub fn embedding(&mut self, weight: Var, index: Var, padding_index: Option<usize>) -> Result<Var> {
        self.check_own("embedding", &[weight, index])?;
        let &[rows, d] = self.shape(weight) else {
            return Err(self.shape_error("embedding", &[self.shape(weight)], "the weight must be [V,D]".into()));
        };
        if padding_index.is_some_and(|p| p >= rows) {
            let detail = format!("the padding index {padding_index:?} is outside 0..{rows}");
            return Err(self.shape_error("embedding", &[self.shape(weight)], detail));
        }
        let mut shape = self.shape(index).to_vec();
        let n = count(&shape);
        let flat = self.reshape(index, &[n])?;
        self.check_index("embedding", [weight, flat], 0)?;
        let mut picked = self.index_select(weight, flat, 0)?;
        if let Some(padding) = padding_index {
            let column = self.reshape(flat, &[n, 1])?;
            let is_padding = self.map_scalars(Elementwise::Equal, column, &[padding as f64])?;
            let fixed = self.detach(picked)?;
            picked = self.where_(is_padding, fixed, picked)?;
        }
        shape.push(d);
        self.reshape(picked, &shape)
    }

    /// 0, 1, ..., n-1 as i32.
    ///
    /// # Errors
    /// If n is 0 or larger than 2^31.
    pub fn iota(&mut self, n: usize) -> Result<Var> {
        if n as u64 > 1 << 31 {
            return Err(self.shape_error("iota", &[&[n]], "the numbers do not fit i32".into()));
        }
        self.record("iota", Op::Iota, vec![], vec![n], DType::I32)
    }

    /// 1 where the last axis' position equals the index, else 0: `[...]` i32 to `[..., classes]`. An index outside gives zeros
    /// where the device computes it.
    ///
    /// # Errors
    /// If the index is no i32, or outside, or there is no class.
    pub fn one_hot(&mut self, index: Var, classes: usize, dtype: DType) -> Result<Var> {
        self.check_own("one_hot", &[index])?;
        if self.dtype(index) != DType::I32 {
            return Err(self.dtype_error("one_hot", &[self.dtype(index)], "the index must be i32".into()));
        }
        self.bound_index(&format!("one_hot of {classes}"), index, classes, None)?;
        let mut shape = self.shape(index).to_vec();
        shape.push(1);
        let index = self.reshape(index, &shape)?;
        let positions = self.iota(classes)?;
        let hit = self.map(Elementwise::Equal, &[index, positions])?;
        self.cast(hit, dtype)
    }

    /// The same value, through which no gradient flows.
    ///
    /// # Errors
    /// If x is of another graph.
    pub fn detach(&mut self, x: Var) -> Result<Var> {
        self.check_own("detach", &[x])?;
        let (shape, dtype) = (self.shape(x).to_vec(), self.dtype(x));
        Ok(self.push(Op::Cast(dtype), vec![x], shape, dtype))
    }
}

/// A tensor seen along one axis: `[outer, n, inner]`, indexed by `m` positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AxisShape {
    /// Product of the extents before the axis.
    pub outer: usize,
    /// Extent of the axis.
    pub n: usize,
    /// Product of the extents behind the axis.
    pub inner: usize,
    /// Extent of the index along the axis (1 for an arg-reduction).
    pub m: usize,
}

impl AxisShape {
    /// A tensor of this shape along an axis.
    pub(super) fn along(shape: &[usize], axis: usize, m: usize) -> AxisShape {
        AxisShape { outer: count(&shape[..axis]), n: shape[axis], inner: count(&shape[axis + 1..]), m }
    }

    /// The shape in reports.
    pub(crate) fn words(&self) -> String {
        format!("{}x{}x{} at {}", self.outer, self.n, self.inner, self.m)
    }
}

/// 0, 1, 2, ...
pub(super) struct Iota;

impl Rules for Iota {
    fn role(&self) -> Role {
        Role::Pointwise
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, _: Backward) -> Cotangents {
        Ok(vec![])
    }
}

/// x at an index of its own for every element.
pub(super) struct Gather(pub usize);

impl Rules for Gather {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        Some(Kernel::Gather(AxisShape::along(place.operand(0), self.0, place.result()[self.0])))
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        let (shape, dtype) = (at.shape(0), at.graph.node(at.node).dtype);
        Ok(vec![Some(at.graph.push(Op::ScatterAdd(self.0), vec![at.d, at.inputs[1]], shape, dtype)), None])
    }
}

/// The adjoint of [`Gather`].
pub(super) struct ScatterAdd(pub usize);

impl Rules for ScatterAdd {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        Some(Kernel::ScatterAdd(AxisShape::along(place.result(), self.0, place.operand(0)[self.0])))
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        Ok(vec![Some(at.graph.gather(at.d, at.inputs[1], self.0)?), None])
    }
}

/// Slices of x.
pub(super) struct IndexSelect(pub usize);

impl Rules for IndexSelect {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        Some(Kernel::IndexSelect(AxisShape::along(place.operand(0), self.0, place.result()[self.0])))
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        let (shape, dtype) = (at.shape(0), at.graph.node(at.node).dtype);
        Ok(vec![Some(at.graph.push(Op::IndexAdd(self.0), vec![at.d, at.inputs[1]], shape, dtype)), None])
    }
}

/// The adjoint of [`IndexSelect`].
pub(super) struct IndexAdd(pub usize);

impl Rules for IndexAdd {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        Some(Kernel::IndexAdd(AxisShape::along(place.result(), self.0, place.operand(0)[self.0])))
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        Ok(vec![Some(at.graph.index_select(at.d, at.inputs[1], self.0)?), None])
    }
}
