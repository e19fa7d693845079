//! Kernels along one axis of a tensor seen as `[outer, n, inner]`: the position of the largest, selection by index, and
//! the gradients of that. Bindings: arg-reduction x, y (i32); the others x or source, index (i32), y.

use crate::dispatch::{elements, spread_elements};
use crate::{Elem, ShaderError, ShaderKernel, Source};

/// A tensor seen along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AlongAxis {
    /// The product of the extents before the axis.
    pub outer: u32,
    /// The extent of the axis (of the result, for the two that add).
    pub n: u32,
    /// The product of the extents behind the axis.
    pub inner: u32,
    /// The extent of the index along the axis.
    pub m: u32,
}

impl AlongAxis {
    fn compose(&self, name: &'static str, extent: u32, ty: &str) -> Result<ShaderKernel, ShaderError> {
        elements(name, &[self.outer, self.m.max(1), self.inner])?;
        elements(name, &[self.outer, extent, self.inner])?;
        if elements(name, &[self.outer, self.n, self.inner])? == 0 {
            let reason = format!("an axis without elements: {self:?}");
            return Err(ShaderError::Shape { kernel: name, reason });
        }
        let source = Source::new(name)
            .set_const("OUTER", self.outer)
            .set_const("AXIS", self.n)
            .set_const("INNER", self.inner)
            .set_alias("Elem", ty);
        let count = u64::from(self.outer) * u64::from(extent) * u64::from(self.inner);
        Ok(ShaderKernel::new(name, source, spread_elements(name, count)?))
    }

    /// y `[outer, inner]`: where the first largest (or smallest) element lies. `ty` is the WGSL type of numbers stored.
    ///
    /// # Errors
    /// A tensor without elements, or with more than 32-bit indices reach.
    pub fn arg_reduce(&self, smallest: bool, ty: &str) -> Result<ShaderKernel, ShaderError> {
        let kernel = self.compose("arg_reduce", 1, ty)?.map_source(|s| s.set_const("SMALLEST", smallest));
        if ty == "f32" || ty == "f16" {
            return Ok(kernel.map_source(|s| s.set_alias("Value", "f32")));
        }
        let no_nan = "fn is_nan(v: Value) -> bool {\n    return false;\n}\n";
        Ok(kernel.map_source(|s| s.set_alias("Value", ty).replace_fn("is_nan", no_nan)))
    }

    /// y `[outer, m, inner]` from x and index `[outer, m, inner]`. `ty` is any WGSL storage scalar.
    ///
    /// # Errors
    /// As [`AlongAxis::arg_reduce`].
    pub fn gather(&self, ty: &str) -> Result<ShaderKernel, ShaderError> {
        let kernel = self.compose("gather", self.m, ty)?;
        Ok(kernel.map_source(|s| s.set_const("COUNT", self.m)))
    }

    /// y `[outer, m, inner]` from x and index `[m]`. `ty` is any WGSL storage scalar.
    ///
    /// # Errors
    /// As [`AlongAxis::arg_reduce`].
    pub fn index_select(&self, ty: &str) -> Result<ShaderKernel, ShaderError> {
        let kernel = self.compose("index_select", self.m, ty)?;
        Ok(kernel.map_source(|s| s.set_const("COUNT", self.m)))
    }

    /// y `[outer, n, inner]` from source and index `[outer, m, inner]`.
    ///
    /// # Errors
    /// As [`AlongAxis::arg_reduce`].
    pub fn scatter_add(&self, source: Elem, out: Elem) -> Result<ShaderKernel, ShaderError> {
        self.adding("scatter_add", source, out)
    }

    /// y `[outer, n, inner]` from source `[outer, m, inner]` and index `[m]`.
    ///
    /// # Errors
    /// As [`AlongAxis::arg_reduce`].
    pub fn index_add(&self, source: Elem, out: Elem) -> Result<ShaderKernel, ShaderError> {
        self.adding("index_add", source, out)
    }

    fn adding(&self, name: &'static str, source: Elem, out: Elem) -> Result<ShaderKernel, ShaderError> {
        let kernel = self.compose(name, self.n, source.wgsl())?;
        Ok(kernel.map_source(|s| s.set_const("COUNT", self.m).set_alias("OutElem", out.wgsl())))
    }
}
