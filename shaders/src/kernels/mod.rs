//! Kernel specifications: each takes a shape and gives the shader with the shape put in, and its dispatch.

mod axis;
mod conv2d;
mod depthwise;
mod depthwise_code;
mod depthwise_strips;
mod matmul;
mod pool2d;
mod rows;
mod sum_parts;
mod winograd;

pub use axis::AlongAxis;
pub use conv2d::Conv2d;
pub use matmul::{MatMul, MatOperand};
pub use pool2d::{Divisor, Pool2d};
pub use rows::{CrossEntropy, Rows};
pub use sum_parts::SumParts;
pub use winograd::{Transforms, WINOGRAD_POSITIONS, WinogradGrid};

use crate::Source;

/// A shader for one shape, and how many workgroups compute it.
#[derive(Debug, Clone)]
pub struct ShaderKernel {
    /// The kernel's name, for labels and profiles.
    pub name: &'static str,
    /// The shader. Put generated code into its hooks, then [`Source::build`].
    pub source: Source,
    /// Workgroups to dispatch in x, y and z.
    pub workgroups: [u32; 3],
}

impl ShaderKernel {
    pub(crate) fn new(name: &'static str, source: Source, workgroups: [u32; 3]) -> Self {
        Self { name, source, workgroups }
    }

    /// Rewrites the shader, keeping the dispatch.
    pub fn map_source(self, rewrite: impl FnOnce(Source) -> Source) -> Self {
        Self { source: rewrite(self.source), ..self }
    }
}
