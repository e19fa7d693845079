//! Depthwise convolutions of four channels and several pixels of a row in an invocation: [`Conv2d`]'s where `fours` is set and as many
//! channels go out as in. The code of a strip is written out, so that no compiler has to unroll it.

use std::fmt::Write;

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
    fn columns_read(&self, pixels: u32) -> Vec<u32> {
        let taps = |p| (0..self.kernel[1]).map(move |kw| p * self.stride[1] + kw * self.dilation[1]);
        let mut columns: Vec<u32> = (0..pixels).flat_map(taps).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Of an input gradient: the column of dy, counted from the strip's first over the stride, that a tap brings to a pixel.
    fn column_behind(&self, pixel: u32, kw: u32) -> Option<i64> {
        let far = i64::from(pixel) + i64::from(self.padding[1][0]) - i64::from(kw) * i64::from(self.dilation[1]);
        let stride = i64::from(self.stride[1]);
        (far.rem_euclid(stride) == 0).then(|| far.div_euclid(stride))
    }

    /// The columns of [`Conv2d::column_behind`], the last first, so that each pixel meets its taps in order.
    fn columns_behind(&self, pixels: u32) -> Vec<i64> {
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

    fn forward_code(&self, pixels: u32, width: u32) -> String {
        let mut reads = String::new();
        for column in self.columns_read(pixels) {
            let _ = writeln!(reads, "            let x{column} = pixel(line, left + {column}u, c);");
        }
        for kw in 0..self.kernel[1] {
            reads += &read_weight(kw);
            for p in 0..pixels {
                let column = p * self.stride[1] + kw * self.dilation[1];
                let _ = writeln!(reads, "            sum{p} = fma(x{column}, w{kw}, sum{p});");
            }
        }
        format!(
            "fn strip_of(row: u32, first: u32, c: u32, place: u32) {{\n{}    \
             let image = row / OUT_H * IN_H;\n    \
             // Rows above the image wrap around to large numbers.\n    \
             let top = row % OUT_H * STRIDE_H - PAD_TOP;\n    \
             let left = first * STRIDE_W - PAD_LEFT;\n    \
             for (var kh = 0u; kh < KERNEL_H; kh++) {{\n        \
             let h = top + kh * DILATION_H;\n        \
             if (h < IN_H) {{\n            \
             let line = (image + h) * IN_W;\n{reads}        }}\n    }}\n{}}}\n",
            sums(pixels),
            puts(pixels, width, "OUT_W"),
        )
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

    fn input_grad_code(&self, pixels: u32, width: u32) -> String {
        let columns = self.columns_behind(pixels);
        let mut reads = String::new();
        for (i, column) in columns.iter().enumerate() {
            let sign = if *column < 0 { '-' } else { '+' };
            let _ = writeln!(reads, "            let v{i} = middle {sign} {}u;", column.unsigned_abs());
            let _ = writeln!(reads, "            let g{i} = pixel(line, v{i}, c);");
        }
        reads.extend((0..self.kernel[1]).map(read_weight));
        for (i, column) in columns.iter().enumerate() {
            let _ = writeln!(reads, "            if (v{i} < OUT_W) {{");
            for p in 0..pixels {
                for kw in (0..self.kernel[1]).filter(|&kw| self.column_behind(p, kw) == Some(*column)) {
                    let _ = writeln!(reads, "                sum{p} = fma(g{i}, w{kw}, sum{p});");
                }
            }
            reads += "            }\n";
        }
        format!(
            "fn strip_of(row: u32, first: u32, c: u32, place: u32) {{\n{}    \
             let image = row / IN_H * OUT_H;\n    \
             let bottom = row % IN_H + PAD_TOP;\n    \
             let middle = first / STRIDE_W;\n    \
             for (var kh = 0u; kh < KERNEL_H; kh++) {{\n        \
             // Rows and columns before the first wrap around to large numbers.\n        \
             let h = bottom - kh * DILATION_H;\n        \
             if ((h % STRIDE_H == 0u) & (h / STRIDE_H < OUT_H)) {{\n            \
             let line = (image + h / STRIDE_H) * OUT_W;\n{reads}        }}\n    }}\n{}}}\n",
            sums(pixels),
            puts(pixels, width, "IN_W"),
        )
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

    fn weight_grad_code(&self, pixels: u32, share: u32, width: u32) -> String {
        let sums = || (0..share).flat_map(|r| (0..self.kernel[1]).map(move |kw| (r, kw)));
        let (short, mut declared, mut body) = (!width.is_multiple_of(pixels), String::new(), String::new());
        for (r, kw) in sums() {
            let _ = writeln!(declared, "    var sum{r}_{kw} = vec4<f32>();");
        }
        for p in 0..pixels {
            let column = if short { format!("min(first + {p}u, OUT_W - 1u)") } else { format!("first + {p}u") };
            let _ = writeln!(body, "            let g{p} = gradient(row, {column}, c);");
        }
        for r in 0..share {
            let _ = writeln!(body, "            let h{r} = top + (share + {r}u) * DILATION_H;");
            let _ =
                writeln!(body, "            if (h{r} < IN_H) {{\n                let line = (image + h{r}) * IN_W;");
            for column in self.columns_read(pixels) {
                let _ = writeln!(body, "                let x{column} = pixel(line, left + {column}u, c);");
            }
            for p in 0..pixels {
                let (open, close) =
                    if short { (format!("if (first + {p}u < OUT_W) {{ "), " }") } else { (String::new(), "") };
                for kw in 0..self.kernel[1] {
                    let column = p * self.stride[1] + kw * self.dilation[1];
                    let add = format!("sum{r}_{kw} = fma(x{column}, g{p}, sum{r}_{kw});");
                    let _ = writeln!(body, "                {open}{add}{close}");
                }
            }
            body += "            }\n";
        }
        let mut end = String::new();
        for r in 0..share {
            for kw in 0..self.kernel[1] {
                let _ = writeln!(end, "    sums[{kw}u * THREADS + thread] = sum{r}_{kw};");
            }
            let _ = writeln!(end, "    finish(part, block, share + {r}u, thread);");
        }
        format!(
            "fn sum_of(part: u32, block: u32, share: u32, thread: u32) {{\n    \
             let c = block * BLOCK + thread % BLOCK;\n{declared}    \
             if ((c < QUADS) & (part < PARTS)) {{\n        \
             for (var strip = part * CHUNK + thread / BLOCK; strip < min((part + 1u) * CHUNK, COUNT); strip += LANES) {{\n            \
             let row = strip / STRIPS;\n            \
             let first = strip % STRIPS * STRIP;\n            \
             let image = row / OUT_H * IN_H;\n            \
             // Rows above the image wrap around to large numbers.\n            \
             let top = row % OUT_H * STRIDE_H - PAD_TOP;\n            \
             let left = first * STRIDE_W - PAD_LEFT;\n{body}        }}\n    }}\n{end}}}\n"
        )
    }
}

/// The type of four elements.
fn vec4(elem: Elem) -> String {
    elem.word(4)
}

fn sums(pixels: u32) -> String {
    (0..pixels).map(|p| format!("    var sum{p} = vec4<f32>();\n")).collect()
}

fn read_weight(kw: u32) -> String {
    format!("            let w{kw} = weights[(kh * KERNEL_W + {kw}u) * BLOCK + place];\n")
}

/// Stores the pixels of a strip, those beyond the row's end not.
fn puts(pixels: u32, width: u32, name: &str) -> String {
    let mut text = format!("    let at = ((row * {name} + first) * QUADS + c) * 4u;\n");
    for p in 0..pixels {
        let put = format!("put4(sum{p}, at + {p}u * 4u * QUADS);");
        let _ = match p > 0 && !width.is_multiple_of(pixels) {
            true => writeln!(text, "    if (first + {p}u < {name}) {{\n        {put}\n    }}"),
            false => writeln!(text, "    {put}"),
        };
    }
    text
}
