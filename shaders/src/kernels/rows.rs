//! Kernels over the rows of a matrix: softmax, cross-entropy and its gradient, and the moments of rows and of columns.
//! Bindings: softmax x, y; cross-entropy logits, target (i32), [weights,] loss; its gradient logits, target, cotangent
//! (f32), [weights,] dlogits; moments x, y (f32).

use crate::dispatch::{elements, spread};
use crate::{BufferAccess, Elem, ShaderError, ShaderKernel, Source, StorageBuffer};

/// Invocations of a workgroup that takes whole rows.
const ROW_THREADS: u32 = 64;
/// Invocations of a workgroup that takes part of all rows.
const COLUMN_THREADS: u32 = 256;

/// A matrix `[rows, columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rows {
    /// Rows.
    pub rows: u32,
    /// Elements of a row.
    pub columns: u32,
    /// The element type of the input.
    pub x: Elem,
    /// The element type of the result.
    pub out: Elem,
}

/// Options of cross-entropy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossEntropy {
    /// The share of the target that is spread evenly over the classes.
    pub smoothing: f32,
    /// Rows with this class have neither loss nor gradient.
    pub ignore_index: i32,
    /// Whether there are class weights (f32).
    pub weighted: bool,
}

impl Rows {
    /// Lanes that share a row: about four elements each; short rows take one invocation and no barrier's worth of work.
    fn compose(&self, name: &'static str, most: u32) -> Result<ShaderKernel, ShaderError> {
        if elements(name, &[self.rows, self.columns])? == 0 {
            let reason = format!("a matrix without elements: {self:?}");
            return Err(ShaderError::Shape { kernel: name, reason });
        }
        let lanes = self.columns.div_ceil(4).next_power_of_two().min(most);
        let lanes = if self.columns <= 16 { 1 } else { lanes };
        let threads = lanes.max(ROW_THREADS);
        let source = Source::new(name)
            .set_const("ROWS", self.rows)
            .set_const("COLUMNS", self.columns)
            .set_const("LANES", lanes)
            .set_const("THREADS", threads)
            .set_alias("Elem", self.x.wgsl());
        let groups = u64::from(self.rows).div_ceil(u64::from(threads / lanes));
        Ok(ShaderKernel::new(name, source, spread(name, groups)?))
    }

    /// Softmax of each row, or its logarithm.
    ///
    /// # Errors
    /// A matrix without elements, or with more than 32-bit indices reach.
    pub fn softmax(&self, log: bool) -> Result<ShaderKernel, ShaderError> {
        let kernel = self.compose("softmax", ROW_THREADS)?;
        Ok(kernel.map_source(|s| s.set_const("LOG", log).set_alias("OutElem", self.out.wgsl())))
    }

    /// The loss of each row.
    ///
    /// # Errors
    /// As [`Rows::softmax`].
    pub fn cross_entropy(&self, options: CrossEntropy) -> Result<ShaderKernel, ShaderError> {
        let kernel = self.compose("cross_entropy", ROW_THREADS)?;
        Ok(kernel.map_source(|s| self.options(s, options, 2)))
    }

    /// The gradient of the logits.
    ///
    /// # Errors
    /// As [`Rows::softmax`].
    pub fn cross_entropy_grad(&self, options: CrossEntropy) -> Result<ShaderKernel, ShaderError> {
        let kernel = self.compose("cross_entropy_grad", ROW_THREADS)?;
        Ok(kernel.map_source(|s| self.options(s, options, 3)))
    }

    fn options(&self, source: Source, options: CrossEntropy, output: usize) -> Source {
        let source = source
            .set_const("SMOOTHING", options.smoothing)
            .set_const("IGNORE_INDEX", options.ignore_index)
            .set_alias("OutElem", self.out.wgsl());
        match options.weighted {
            false => source.include("equal_classes"),
            true => source
                .include("weighted_classes")
                .insert_buffer(output, StorageBuffer::new("weights", BufferAccess::Read, "f32")),
        }
    }

    /// Mean and biased variance of each row: `[2, rows]` of f32.
    ///
    /// # Errors
    /// As [`Rows::softmax`].
    pub fn moments_of_rows(&self) -> Result<ShaderKernel, ShaderError> {
        self.compose("moments_columns", COLUMN_THREADS)
    }

    /// Mean and biased variance of each column, `[2, columns]` of f32, where [`Rows::moment_parts`] is 1; otherwise the
    /// parts `[parts, 2, columns]` for [`Rows::merge_moments`].
    ///
    /// # Errors
    /// As [`Rows::softmax`].
    pub fn moments_of_columns(&self) -> Result<ShaderKernel, ShaderError> {
        let name = "moments_rows";
        if elements(name, &[self.rows, self.columns])? == 0 {
            let reason = format!("a matrix without elements: {self:?}");
            return Err(ShaderError::Shape { kernel: name, reason });
        }
        let (parts, chunk) = self.split();
        let source = Source::new(name)
            .set_const("ROWS", self.rows)
            .set_const("COLUMNS", self.columns)
            .set_const("PARTS", parts)
            .set_const("CHUNK", chunk)
            .set_const("SIDE", self.side())
            .set_const("THREADS", COLUMN_THREADS)
            .set_alias("Elem", self.x.wgsl());
        let groups = u64::from(self.columns.div_ceil(self.side())) * u64::from(parts);
        Ok(ShaderKernel::new(name, source, spread(name, groups)?))
    }

    /// Merges the parts of [`Rows::moments_of_columns`]. Bindings: parts, y.
    ///
    /// # Errors
    /// As [`Rows::softmax`].
    pub fn merge_moments(&self) -> Result<ShaderKernel, ShaderError> {
        let name = "moments_merge";
        let (parts, chunk) = self.split();
        let source = Source::new(name)
            .set_const("ROWS", self.rows)
            .set_const("COLUMNS", self.columns)
            .set_const("PARTS", parts)
            .set_const("CHUNK", chunk);
        let groups = u64::from(self.columns).div_ceil(u64::from(crate::dispatch::ELEMENT_WORKGROUP));
        Ok(ShaderKernel::new(name, source, spread(name, groups)?))
    }

    /// Parts of the rows that [`Rows::moments_of_columns`] takes: enough to fill a large device, each of 1024 rows or more.
    pub fn moment_parts(&self) -> u32 {
        self.split().0
    }

    fn split(&self) -> (u32, u32) {
        let blocks = self.columns.div_ceil(self.side()).max(1);
        let parts = 512u32.div_ceil(blocks).min(self.rows / 1024).max(1);
        let chunk = self.rows.div_ceil(parts).max(1);
        (self.rows.div_ceil(chunk).max(1), chunk)
    }

    /// Columns that a workgroup takes.
    fn side(&self) -> u32 {
        self.columns.next_power_of_two().clamp(1, 32)
    }
}
