//! Builder methods that select by index, and their adjoints, which accumulate.

use crate::dtype::DType;
use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::Op;

impl Graph {
    fn check_index(&self, op: &str, index: Var) -> Result<()> {
        if self.dtype(index) == DType::I32 {
            return Ok(());
        }
        Err(self.dtype_error(op, &[self.dtype(index)], "the index must be i32".into()))
    }

    /// `out[.., j, ..] = x[.., index[.., j, ..], ..]` along an axis; other extents of x and index are equal.
    /// Indices outside are the caller's error: they read an unspecified element of x, never beyond it.
    ///
    /// # Errors
    /// If ranks or other extents differ, or the index is no i32.
    pub fn gather(&mut self, x: Var, index: Var, axis: usize) -> Result<Var> {
        self.check_index("gather", index)?;
        let (sx, si) = (self.shape(x), self.shape(index));
        if sx.len() != si.len() || axis >= sx.len() || (0..sx.len()).any(|i| i != axis && sx[i] != si[i]) {
            return Err(self.shape_error("gather", &[sx, si], format!("extents other than axis {axis} must be equal")));
        }
        let (shape, dtype) = (si.to_vec(), self.dtype(x));
        Ok(self.push(Op::Gather(axis), vec![x, index], shape, dtype))
    }

    /// Slices of x along an axis, in the order of `index` `[m]`.
    ///
    /// # Errors
    /// If the axis does not fit or the index is no i32 vector.
    pub fn index_select(&mut self, x: Var, index: Var, axis: usize) -> Result<Var> {
        self.check_index("index_select", index)?;
        let (&[m], true) = (self.shape(index), axis < self.shape(x).len()) else {
            let shapes = [self.shape(x), self.shape(index)];
            return Err(self.shape_error("index_select", &shapes, format!("takes an index [m] and axis {axis}")));
        };
        let mut shape = self.shape(x).to_vec();
        shape[axis] = m;
        let dtype = self.dtype(x);
        Ok(self.push(Op::IndexSelect(axis), vec![x, index], shape, dtype))
    }

    /// Rows of weight `[V,D]` for an index of any shape: `[...]` to `[..., D]`. Rows equal to `padding_index` get no gradient.
    ///
    /// # Errors
    /// If the weight has not two axes or the index is no i32.
    pub fn embedding(&mut self, weight: Var, index: Var, padding_index: Option<usize>) -> Result<Var> {
        let &[_, d] = self.shape(weight) else {
            return Err(self.shape_error("embedding", &[self.shape(weight)], "the weight must be [V,D]".into()));
        };
        let mut shape = self.shape(index).to_vec();
        let n = shape.iter().product();
        let flat = self.reshape(index, &[n])?;
        let mut rows = self.index_select(weight, flat, 0)?;
        if let Some(padding) = padding_index {
            let column = self.reshape(flat, &[n, 1])?;
            let is_padding = self.map_scalars(crate::elementwise::Elementwise::Equal, column, &[padding as f64])?;
            let fixed = self.detach(rows);
            rows = self.where_(is_padding, fixed, rows)?;
        }
        shape.push(d);
        self.reshape(rows, &shape)
    }

    /// The same value, through which no gradient flows.
    pub fn detach(&mut self, x: Var) -> Var {
        let (shape, dtype) = (self.shape(x).to_vec(), self.dtype(x));
        self.push(Op::Cast(dtype), vec![x], shape, dtype)
    }
}
