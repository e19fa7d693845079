//! Depthwise convolutions of four channels and several pixels of a row in an invocation: [`Conv2d`]'s where `fours` is set and as many
//! channels go out as in. The code of a strip is written out (`depthwise_code.rs`), so that no compiler has to unroll it.

use super::Conv2d;
use crate::dispatch::{elements, spread};
use crate::{Elem, ShaderError, ShaderKernel, Source};

/// Invocations of a workgroup, at most.
const THREADS: u32 = 128;
/// Pixels that an invocation holds of a row it reads, at most: four registers each.
const HELD: usize = 12;
/// Sums of the weight gradient that an invocation holds, at most.
const SUMS: u32 = 12;
/// Vectors of four f32 in a workgroup's memory, at most: 16 KiB are everywhere.
const SHARED: u32 = 1024;

/// Pixels of a row in an invocation, and fours of channels and strips in a workgroup.
struct Strips {
    pixels: u32,
    block: u32,
    lanes: u32,
}

impl Conv2d {
    fn has_strips(&self) -> bool {
        let same = self.is_depthwise() && self.in_channels == self.out_channels;
        self.fours && same && self.out_channels.is_multiple_of(4)
    }

    /// Columns of x, counted from a strip's first, that its pixels read.
    pub(super) fn columns_read(&self, pixels: u32) -> Vec<u32> {
        let taps = |p| (0..self.kernel[1]).map(move |kw| p * self.stride[1] + kw * self.dilation[1]);
        let mut columns: Vec<u32> = (0..pixels).flat_map(taps).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Of an input gradient: the column of dy, counted from the strip's first over the stride, that a tap brings to a pixel.
    pub(super) fn column_behind(&self, pixel: u32, kw: u32) -> Option<i64> {
        let far = i64::from(pixel) + i64::from(self.padding[1][0]) - i64::from(kw) * i64::from(self.dilation[1]);
        let stride = i64::from(self.stride[1]);
        (far.rem_euclid(stride) == 0).then(|| far.div_euclid(stride))
    }

    /// The columns of [`Conv2d::column_behind`], the last first, so that each pixel meets its taps in order.
    pub(super) fn columns_behind(&self, pixels: u32) -> Vec<i64> {
        let taps = |p| (0..self.kernel[1]).filter_map(move |kw| self.column_behind(p, kw));
        let mut columns: Vec<i64> = (0..pixels).flat_map(taps).collect();
        columns.sort_unstable();
        columns.dedup();
        columns.reverse();
        columns
    }

    /// Strips of rows of `width` pixels, of a multiple of `step` pixels; none where too much would be held.
    fn strips(&self, width: u32, step: u32, held: impl Fn(u32) -> usize) -> Option<Strips> {
        if !self.has_strips() {
            return None;
        }
        let fits = |&pixels: &u32| {
            pixels.is_multiple_of(step) && pixels <= width.next_multiple_of(step) && held(pixels) <= HELD
        };
        let all: Vec<u32> = [4, 7, 5, 6, 3, 2, 1].into_iter().filter(fits).collect();
        // Whole strips waste nothing; of rows that have none but single pixels the last strip is short.
        let whole = all.iter().find(|&&pixels| pixels > 1 && width.is_multiple_of(pixels));
        let pixels = *whole.or(all.first())?;
        let quads = self.out_channels / 4;
        let blocks = [8, 7, 9, 10, 6, 12, 5, 11];
        let block = if quads < 8 { quads } else { blocks.into_iter().find(|b| quads.is_multiple_of(*b)).unwrap_or(8) };
        let shared = self.kernel[0] * self.kernel[1] * block;
        (shared <= SHARED).then_some(Strips { pixels, block, lanes: THREADS / block })
    }

    fn strips_source(&self, name: &'static str, out: [u32; 2], strips: &Strips) -> Source {
        self.set_shape(Source::new(name), out)
            .set_const("STRIP", strips.pixels)
            .set_const("BLOCK", strips.block)
            .set_const("LANES", strips.lanes)
    }

    /// A kernel with a strip of `rows` rows of `width` pixels in each invocation.
    fn by_strips(
        &self,
        name: &'static str,
        out: [u32; 2],
        [height, width]: [u32; 2],
        strips: &Strips,
        code: &str,
    ) -> Result<ShaderKernel, ShaderError> {
        let (rows, of_row) = (self.batch * height, width.div_ceil(strips.pixels));
        let blocks = (self.out_channels / 4).div_ceil(strips.block);
        let lanes = elements(name, &[rows, of_row])?.div_ceil(strips.lanes);
        let source = self
            .strips_source(name, out, strips)
            .set_alias("WElem", self.w.wgsl())
            .set_const("ROWS", rows)
            .set_const("STRIPS", of_row)
            .replace_fn("strip_of", code);
        Ok(ShaderKernel::new(name, source, spread(name, u64::from(lanes) * u64::from(blocks))?))
    }

    /// The forward pass; none where strips do not suit.
    pub(super) fn strips_forward(&self, out: [u32; 2]) -> Option<Result<ShaderKernel, ShaderError>> {
        let strips = self.strips(out[1], 1, |pixels| self.columns_read(pixels).len())?;
        let kernel = self.by_strips("depthwise_strips", out, out, &strips, &self.forward_code(strips.pixels, out[1]));
        let (x, y) = (vec4(self.x), vec4(self.y));
        Some(kernel.map(|kernel| kernel.map_source(|s| s.set_alias("XVal", &x).set_alias("OutVal", &y))))
    }

    /// The gradient with respect to the input; none where strips do not suit.
    pub(super) fn strips_input_grad(&self, out: [u32; 2]) -> Option<Result<ShaderKernel, ShaderError>> {
        let width = self.input[1];
        let strips = self.strips(width, self.stride[1], |pixels| self.columns_behind(pixels).len())?;
        let name = "depthwise_strips_input_grad";
        let code = self.input_grad_code(strips.pixels, width);
        let kernel = self.by_strips(name, out, self.input, &strips, &code);
        let (dy, dx) = (vec4(self.y), vec4(self.dx));
        Some(kernel.map(|kernel| kernel.map_source(|s| s.set_alias("GradVal", &dy).set_alias("OutVal", &dx))))
    }

    /// Workgroups that make one part of the weight gradient by strips; none where strips do not suit.
    pub fn weight_grad_workgroups(&self) -> Option<u32> {
        let (strips, share) = self.weight_grad_strips(self.output().ok()?)?;
        Some((self.out_channels / 4).div_ceil(strips.block) * self.kernel[0].div_ceil(share))
    }

    /// The strips, and the rows of taps that an invocation sums.
    fn weight_grad_strips(&self, out: [u32; 2]) -> Option<(Strips, u32)> {
        let strips = self.strips(out[1], 1, |pixels| self.columns_read(pixels).len())?;
        let share = (SUMS / self.kernel[1]).min(self.kernel[0]);
        let shared = self.kernel[1] * strips.block * strips.lanes;
        (share > 0 && shared <= SHARED && self.kernel[1] <= strips.lanes).then_some((strips, share))
    }

    /// The gradient with respect to the weight in `parts` parts; none where strips do not suit.
    pub(super) fn strips_weight_grad(&self, out: [u32; 2], parts: u32) -> Option<Result<ShaderKernel, ShaderError>> {
        let (strips, share) = self.weight_grad_strips(out)?;
        let name = "depthwise_strips_weight_grad";
        let of_row = out[1].div_ceil(strips.pixels);
        let count = self.batch * out[0] * of_row;
        let workgroups = self.weight_grad_workgroups()?;
        let source = self
            .strips_source(name, out, &strips)
            .set_alias("XVal", &vec4(self.x))
            .set_alias("GradVal", &vec4(self.y))
            .set_const("PARTS", parts)
            .set_const("CHUNK", count.div_ceil(parts))
            .set_const("COUNT", count)
            .set_const("STRIPS", of_row)
            .set_const("SHARE", share)
            .replace_fn("sum_of", &self.weight_grad_code(strips.pixels, share, out[1]));
        let workgroups = spread(name, u64::from(workgroups) * u64::from(parts));
        Some(workgroups.map(|workgroups| ShaderKernel::new(name, source, workgroups)))
    }
}

/// The type of four elements.
fn vec4(elem: Elem) -> String {
    elem.word(4)
}
