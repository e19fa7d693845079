//! Max and average pooling and their gradients over `[N, H, W, C]`.
//! Bindings: max x, y; its index x, y (i32); its gradient x, y, dy, dx, or by taps: x, taps (u32), then dy, dx, taps; average x, y; its
//! gradient dy, dx.

use crate::dispatch::{elements, spread_elements};
use crate::{Elem, ShaderError, ShaderKernel, Source};

/// The shape of a pooling. The output's extents are given, so that floor and ceil mode are the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pool2d {
    /// Images in the batch.
    pub batch: u32,
    /// Height and width of x.
    pub input: [u32; 2],
    /// Channels.
    pub channels: u32,
    /// Height and width of y.
    pub output: [u32; 2],
    /// Height and width of a window.
    pub kernel: [u32; 2],
    /// Pixels from window to window.
    pub stride: [u32; 2],
    /// Padding on both sides of the rows, and of the columns.
    pub padding: [u32; 2],
    /// Pixels from tap to tap (max pooling alone).
    pub dilation: [u32; 2],
    /// The element type of x and y.
    pub x: Elem,
    /// The element type of dy.
    pub dy: Elem,
    /// The element type of dx.
    pub dx: Elem,
    /// Four channels may be computed in an invocation where they suit: for GPUs.
    pub fours: bool,
}

/// What an average is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Divisor {
    /// The positions inside the padded image.
    IncludePadding,
    /// The positions inside the image.
    ExcludePadding,
    /// This number, not 0.
    Fixed(u32),
}

/// Taps that have a number of a byte, but for the last.
const TAPS: u32 = 255;

impl Pool2d {
    /// Whether a value and the average are computed by fours of channels.
    fn by_fours(&self) -> bool {
        self.fours && self.channels.is_multiple_of(4)
    }

    /// Whether [`Pool2d::max_taps`] and [`Pool2d::max_grad_by_taps`] are to be used in place of [`Pool2d::max_grad`].
    pub fn has_taps(&self) -> bool {
        self.by_fours() && self.kernel[0].saturating_mul(self.kernel[1]) <= TAPS
    }

    fn compose(&self, name: &'static str, per_input: bool) -> Result<(Source, [u32; 3]), ShaderError> {
        let x = elements(name, &[self.batch, self.input[0], self.input[1], self.channels])?;
        let y = elements(name, &[self.batch, self.output[0], self.output[1], self.channels])?;
        let positive = [self.kernel, self.stride, self.dilation].concat().iter().all(|&d| d > 0);
        let small = [self.kernel, self.stride, self.padding, self.dilation].concat().iter().all(|&d| d <= 0xffff);
        if !positive || !small || x == 0 || y == 0 {
            let reason = format!("a window or an image without pixels: {self:?}");
            return Err(ShaderError::Shape { kernel: name, reason });
        }
        let source = Source::new(name)
            .set_const("BATCH", self.batch)
            .set_const("IN_H", self.input[0])
            .set_const("IN_W", self.input[1])
            .set_const("CHANNELS", self.channels)
            .set_const("OUT_H", self.output[0])
            .set_const("OUT_W", self.output[1])
            .set_const("KERNEL_H", self.kernel[0])
            .set_const("KERNEL_W", self.kernel[1])
            .set_const("STRIDE_H", self.stride[0])
            .set_const("STRIDE_W", self.stride[1])
            .set_const("PAD_H", self.padding[0])
            .set_const("PAD_W", self.padding[1]);
        Ok((source, spread_elements(name, if per_input { x } else { y }.into())?))
    }

    /// The same for a kernel of fours of channels.
    fn compose_fours(&self, name: &'static str, per_input: bool) -> Result<(Source, [u32; 3]), ShaderError> {
        let (source, _) = self.compose(name, per_input)?;
        let [h, w] = if per_input { self.input } else { self.output };
        let quads = [self.batch, h, w, self.channels / 4].into_iter().map(u64::from).product();
        Ok((source, spread_elements(name, quads)?))
    }

    fn max_fours(&self, name: &'static str, per_input: bool) -> Result<ShaderKernel, ShaderError> {
        let (source, workgroups) = self.compose_fours(name, per_input)?;
        let source = source
            .set_const("DILATION_H", self.dilation[0])
            .set_const("DILATION_W", self.dilation[1])
            .set_alias("Val", &self.x.word(4));
        Ok(ShaderKernel::new(name, source, workgroups))
    }

    fn max(&self, name: &'static str, per_input: bool) -> Result<ShaderKernel, ShaderError> {
        let (source, workgroups) = self.compose(name, per_input)?;
        let source = source
            .set_const("DILATION_H", self.dilation[0])
            .set_const("DILATION_W", self.dilation[1])
            .set_alias("Elem", self.x.wgsl());
        Ok(ShaderKernel::new(name, source, workgroups))
    }

    /// y: the largest of each window.
    ///
    /// # Errors
    /// A shape that is no pooling or that 32-bit indices do not reach.
    pub fn max_forward(&self) -> Result<ShaderKernel, ShaderError> {
        if self.by_fours() {
            let kernel = self.max_fours("max_pool2d_fours", false)?;
            return Ok(kernel.map_source(|s| s.set_alias("OutVal", &self.x.word(4))));
        }
        let kernel = self.max("max_pool2d", false)?;
        Ok(kernel.map_source(|s| s.set_alias("OutElem", self.x.wgsl())))
    }

    /// The position in the H x W plane (i32) of the first largest of each window.
    ///
    /// # Errors
    /// As [`Pool2d::max_forward`].
    pub fn max_index(&self) -> Result<ShaderKernel, ShaderError> {
        self.max("max_pool2d_index", false)
    }

    /// dx of max pooling from x, y and dy.
    ///
    /// # Errors
    /// As [`Pool2d::max_forward`].
    pub fn max_grad(&self) -> Result<ShaderKernel, ShaderError> {
        Ok(self
            .max("max_pool2d_grad", true)?
            .map_source(|s| s.set_alias("GradElem", self.dy.wgsl()).set_alias("OutElem", self.dx.wgsl())))
    }

    /// The first largest tap of each window, a byte for each of four channels, for [`Pool2d::max_grad_by_taps`].
    ///
    /// # Errors
    /// As [`Pool2d::max_forward`].
    pub fn max_taps(&self) -> Result<ShaderKernel, ShaderError> {
        Ok(self.max_fours("max_pool2d_taps", false)?.map_source(|s| s.scratch("taps")))
    }

    /// dx of max pooling from dy and what [`Pool2d::max_taps`] found.
    ///
    /// # Errors
    /// As [`Pool2d::max_forward`].
    pub fn max_grad_by_taps(&self) -> Result<ShaderKernel, ShaderError> {
        Ok(self.max_fours("max_pool2d_fours_grad", true)?.map_source(|s| {
            s.set_alias("GradVal", &self.dy.word(4)).set_alias("OutVal", &self.dx.word(4)).scratch("taps")
        }))
    }

    fn average(&self, name: &'static str, per_input: bool, divisor: Divisor) -> Result<ShaderKernel, ShaderError> {
        let (source, workgroups) =
            if self.by_fours() { self.compose_fours(name, per_input) } else { self.compose(name, per_input) }?;
        if self.dilation != [1, 1] {
            let reason = "an average has no dilation".to_owned();
            return Err(ShaderError::Shape { kernel: name, reason });
        }
        let fixed = if let Divisor::Fixed(d) = divisor { d } else { 0 };
        let source =
            source.set_const("INCLUDE_PADDING", divisor == Divisor::IncludePadding).set_const("FIXED_DIVISOR", fixed);
        Ok(ShaderKernel::new(name, source, workgroups))
    }

    /// y: the mean of each window.
    ///
    /// # Errors
    /// As [`Pool2d::max_forward`], and a dilation.
    pub fn average_forward(&self, divisor: Divisor) -> Result<ShaderKernel, ShaderError> {
        if self.by_fours() {
            let word = self.x.word(4);
            let kernel = self.average("avg_pool2d_fours", false, divisor)?;
            return Ok(kernel.map_source(|s| s.set_alias("Val", &word).set_alias("OutVal", &word)));
        }
        Ok(self
            .average("avg_pool2d", false, divisor)?
            .map_source(|s| s.set_alias("Elem", self.x.wgsl()).set_alias("OutElem", self.x.wgsl())))
    }

    /// dx of average pooling from dy.
    ///
    /// # Errors
    /// As [`Pool2d::average_forward`].
    pub fn average_grad(&self, divisor: Divisor) -> Result<ShaderKernel, ShaderError> {
        if self.by_fours() {
            let kernel = self.average("avg_pool2d_fours_grad", true, divisor)?;
            return Ok(
                kernel.map_source(|s| s.set_alias("Val", &self.dy.word(4)).set_alias("OutVal", &self.dx.word(4)))
            );
        }
        Ok(self
            .average("avg_pool2d_grad", true, divisor)?
            .map_source(|s| s.set_alias("GradElem", self.dy.wgsl()).set_alias("OutElem", self.dx.wgsl())))
    }
}
