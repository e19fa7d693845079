//! The fixed-order sum of the parts of a split reduction. Bindings: y, parts.

use crate::dispatch::{elements, spread_elements};
use crate::{Elem, ShaderError, ShaderKernel, Source};

/// `y[i] = sum over p of parts[p, i]`, parts in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SumParts {
    /// How many parts.
    pub parts: u32,
    /// Elements of each part and of the result.
    pub count: u32,
    /// The element type of the result.
    pub out: Elem,
}

impl SumParts {
    /// The kernel for this shape.
    ///
    /// # Errors
    /// More elements than 32-bit indices reach.
    pub fn kernel(&self) -> Result<ShaderKernel, ShaderError> {
        let name = "sum_parts";
        elements(name, &[self.parts, self.count])?;
        let source = Source::new(name)
            .set_alias("OutElem", self.out.wgsl())
            .set_const("PARTS", self.parts)
            .set_const("ELEMENTS", self.count)
            .scratch("parts");
        Ok(ShaderKernel::new(name, source, spread_elements(name, self.count.into())?))
    }
}
