//! 2-D convolution and its two gradients as implicit matrix products.
//! Depthwise ones go to kernels of their own. Bindings: forward x, w, y; input gradient dy, w, dx; weight gradient x, dy, parts of dw.

use crate::dispatch::elements;
use crate::gemm::{TileOperand, TiledProduct};
use crate::{ColumnReduction, Elem, ShaderError, ShaderKernel, Source, Tile};

/// The shape of a 2-D convolution: x `[N, H, W, C]`, w `[O, KH, KW, C / groups]`, y `[N, OH, OW, O]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conv2d {
    /// Images in the batch.
    pub batch: u32,
    /// Height and width of x.
    pub input: [u32; 2],
    /// Channels of x.
    pub in_channels: u32,
    /// Channels of y.
    pub out_channels: u32,
    /// Height and width of a filter.
    pub kernel: [u32; 2],
    /// Pixels from window to window.
    pub stride: [u32; 2],
    /// Zeros before and after the rows, and before and after the columns: `[[top, bottom], [left, right]]`.
    pub padding: [[u32; 2]; 2],
    /// Pixels from tap to tap.
    pub dilation: [u32; 2],
    /// Groups of channels that do not mix.
    pub groups: u32,
    /// Height and width of y where they are less than the windows that fit: the input of a transposed convolution whose output
    /// padding is at least its stride.
    pub out: Option<[u32; 2]>,
    /// The element type of x.
    pub x: Elem,
    /// The element type of w.
    pub w: Elem,
    /// The element type of y and of dy.
    pub y: Elem,
    /// The element type of dx; that of dw is f32.
    pub dx: Elem,
    /// What forward pass and input gradient reduce of their results for each channel.
    pub columns: ColumnReduction,
    /// x (of a forward pass) or dy (of a weight gradient) is computed as it is read and kept in memory: see [`Conv2d::keeps_input`].
    pub keeps: bool,
    /// Depthwise kernels may compute four channels in an invocation where they suit: for GPUs.
    pub fours: bool,
}

/// A pixel is kept at the one of these taps that reads it.
const OWNED_TAPS: &str = "fn a_owns(step: AStep) -> bool {
    return (u32(step.h) - PAD_TOP < STRIDE_H) & (u32(step.w) - PAD_LEFT < STRIDE_W);
}";

/// How the taps of one dimension fall into the phases of the input gradient.
struct Phases {
    first: Vec<u32>,
    count: Vec<u32>,
    tap_step: u32,
    out_step: u32,
}

impl Conv2d {
    /// Height and width of y.
    ///
    /// # Errors
    /// A stride, dilation or extent of 0, a window larger than the padded image, or more windows than fit.
    pub fn output(&self) -> Result<[u32; 2], ShaderError> {
        let mut out = [0; 2];
        for (d, out) in out.iter_mut().enumerate() {
            let [before, after] = self.padding[d];
            let padded = self.input[d].saturating_add(before).saturating_add(after);
            let reach = self.kernel[d].saturating_sub(1);
            let window = self.dilation[d].saturating_mul(reach).saturating_add(1);
            let zero = self.stride[d] == 0 || self.dilation[d] == 0 || self.kernel[d] == 0;
            if zero || padded < window {
                return Err(self.shape_error("a window that does not fit, or a stride of 0"));
            }
            let fitting = (padded - window) / self.stride[d] + 1;
            *out = self.out.map_or(fitting, |out| out[d]);
            if *out > fitting {
                return Err(self.shape_error("more windows than fit"));
            }
        }
        Ok(out)
    }

    /// Whether every channel of x is a group of its own: these have kernels of their own, which take no tile.
    pub fn is_depthwise(&self) -> bool {
        self.groups == self.in_channels && self.groups > 1
    }

    fn shape_error(&self, what: &str) -> ShaderError {
        ShaderError::Shape { kernel: "conv2d", reason: format!("{what}: {self:?}") }
    }

    fn check(&self) -> Result<[u32; 2], ShaderError> {
        let [oh, ow] = self.output()?;
        let Self { batch, input: [h, w], in_channels: c, out_channels: o, groups: g, .. } = *self;
        if g == 0 || !c.is_multiple_of(g) || !o.is_multiple_of(g) {
            return Err(self.shape_error("channels are no multiple of the groups"));
        }
        let weight = [o, self.kernel[0], self.kernel[1], c / g];
        for dims in [[batch, h, w, c], [batch, oh, ow, o], weight] {
            if elements("conv2d", &dims)? == 0 {
                return Err(self.shape_error("an extent of 0"));
            }
        }
        Ok([oh, ow])
    }

    /// Whether a window reaches outside of the image on any side.
    fn reaches_out(&self, out: [u32; 2]) -> bool {
        (0..2).any(|d| {
            let last = (out[d] - 1) * self.stride[d] + (self.kernel[d] - 1) * self.dilation[d];
            self.padding[d][0] > 0 || last >= self.input[d]
        })
    }

    /// Whether the taps from the padding on, as many as the stride, read every pixel of x once: a forward pass can then keep x.
    pub fn keeps_input(&self, [oh, ow]: [u32; 2]) -> bool {
        let covers = |d: usize, out: u32| {
            let [stride, before] = [self.stride[d], self.padding[d][0]];
            self.dilation[d] == 1 && before + stride <= self.kernel[d] && (self.input[d] - 1) / stride < out
        };
        !self.is_depthwise() && covers(0, oh) && covers(1, ow)
    }

    pub(super) fn set_shape(&self, source: Source, [oh, ow]: [u32; 2]) -> Source {
        source
            .set_const("BATCH", self.batch)
            .set_const("IN_H", self.input[0])
            .set_const("IN_W", self.input[1])
            .set_const("IN_C", self.in_channels)
            .set_const("OUT_H", oh)
            .set_const("OUT_W", ow)
            .set_const("OUT_C", self.out_channels)
            .set_const("KERNEL_H", self.kernel[0])
            .set_const("KERNEL_W", self.kernel[1])
            .set_const("STRIDE_H", self.stride[0])
            .set_const("STRIDE_W", self.stride[1])
            .set_const("PAD_TOP", self.padding[0][0])
            .set_const("PAD_LEFT", self.padding[1][0])
            .set_const("DILATION_H", self.dilation[0])
            .set_const("DILATION_W", self.dilation[1])
    }

    /// y from x and w.
    ///
    /// # Errors
    /// A shape that is no convolution or that 32-bit indices do not reach, or a tile that cannot be used.
    pub fn forward(&self, tile: &Tile) -> Result<ShaderKernel, ShaderError> {
        let out = self.check()?;
        if self.is_depthwise() {
            return self.depthwise_forward(out);
        }
        let (group_in, group_out) = self.group_channels();
        let k = self.kernel[0] * self.kernel[1] * group_in;
        let product = TiledProduct {
            operands: "conv2d",
            m: self.batch * out[0] * out[1],
            n: group_out,
            z: self.groups,
            phases: 1,
            a: TileOperand { kept: self.keeps, ..TileOperand::new(true, group_in, self.x) },
            b: TileOperand::new(true, k, self.w),
            c: TileOperand::result(group_out, self.y),
            columns: self.columns,
        };
        let owning = |source: Source| if self.keeps { source.replace_fn("a_owns", OWNED_TAPS) } else { source };
        Ok(product.kernel(tile)?.map_source(|source| {
            self.set_shape(owning(source), out)
                .set_const("GROUPS", self.groups)
                .set_const("PADDED", self.reaches_out(out))
                .set_const("K_MASKED", !k.is_multiple_of(tile.depth))
                .set_const("TAP_UNIFORM", group_in.is_multiple_of(tile.depth))
        }))
    }

    /// dx from dy and w.
    ///
    /// # Errors
    /// As [`Conv2d::forward`].
    pub fn input_grad(&self, tile: &Tile) -> Result<ShaderKernel, ShaderError> {
        let out = self.check()?;
        let (group_in, group_out) = self.group_channels();
        if self.is_depthwise() {
            return self.depthwise_input_grad(out);
        }
        let rows = [0, 1].map(|d| self.input[d].div_ceil(self.stride[d]));
        let product = TiledProduct {
            operands: "conv2d_input_grad",
            m: self.batch * rows[0] * rows[1],
            n: group_in,
            z: self.groups * self.stride[0] * self.stride[1],
            phases: self.stride[0] * self.stride[1],
            a: TileOperand::new(true, group_out, self.y),
            b: TileOperand::new(false, group_in, self.w),
            c: TileOperand::result(group_in, self.dx),
            columns: self.columns,
        };
        let [h, w] = [self.phases(0), self.phases(1)];
        let uniform = group_out.is_multiple_of(tile.depth);
        Ok(product.kernel(tile)?.map_source(|source| {
            self.set_shape(source, out)
                .set_const("GROUPS", self.groups)
                .set_const("MAX_COUNT_W", w.count.iter().copied().max().unwrap_or(1))
                .replace_fn("first_h", &select("first_h", &h.first))
                .replace_fn("count_h", &select("count_h", &h.count))
                .replace_fn("first_w", &select("first_w", &w.first))
                .replace_fn("count_w", &select("count_w", &w.count))
                .set_const("TAP_STEP_H", h.tap_step)
                .set_const("TAP_STEP_W", w.tap_step)
                .set_const("OUT_STEP_H", h.out_step)
                .set_const("OUT_STEP_W", w.out_step)
                .set_const("K_MASKED", !uniform)
                .set_const("TAP_UNIFORM", uniform)
        }))
    }

    /// dw from x and dy, in `parts` parts `[parts, O, KH, KW, C / groups]` of f32 for [`super::SumParts`] to add.
    /// The kernel may use fewer parts than asked: see [`Conv2d::weight_grad_parts`].
    ///
    /// # Errors
    /// As [`Conv2d::forward`].
    pub fn weight_grad(&self, tile: &Tile, parts: u32) -> Result<ShaderKernel, ShaderError> {
        let out = self.check()?;
        let (group_in, group_out) = self.group_channels();
        let (parts, chunk) = self.split(tile, parts, out);
        let n = self.kernel[0] * self.kernel[1] * group_in;
        elements("conv2d_weight_grad", &[parts, self.out_channels, n])?;
        if self.is_depthwise() {
            return self.depthwise_weight_grad(out, parts, chunk);
        }
        let k = self.batch * out[0] * out[1];
        let product = TiledProduct {
            operands: "conv2d_weight_grad",
            m: group_out,
            n,
            z: self.groups * parts,
            phases: 1,
            a: TileOperand { kept: self.keeps, ..TileOperand::new(false, group_out, self.y) },
            b: TileOperand::new(false, group_in, self.x),
            c: TileOperand::result(n, Elem::F32),
            columns: ColumnReduction::None,
        };
        Ok(product.kernel(tile)?.map_source(|source| {
            self.set_shape(source, out)
                .set_const("GROUPS", self.groups)
                .set_const("PADDED", self.reaches_out(out))
                .set_const("K_MASKED", !k.is_multiple_of(tile.depth))
                .set_const("PARTS", parts)
                .set_const("CHUNK", chunk)
        }))
    }

    /// How many parts [`Conv2d::weight_grad`] writes when asked for `parts`: at most that, none of them empty.
    ///
    /// # Errors
    /// As [`Conv2d::forward`].
    pub fn weight_grad_parts(&self, tile: &Tile, parts: u32) -> Result<u32, ShaderError> {
        Ok(self.split(tile, parts, self.check()?).0)
    }

    /// Parts, and terms in each: a multiple of the tile's depth.
    fn split(&self, tile: &Tile, parts: u32, out: [u32; 2]) -> (u32, u32) {
        let k = self.batch * out[0] * out[1];
        let chunk = k.div_ceil(parts.max(1)).next_multiple_of(tile.depth);
        (k.div_ceil(chunk), chunk)
    }

    fn group_channels(&self) -> (u32, u32) {
        (self.in_channels / self.groups, self.out_channels / self.groups)
    }

    /// Which taps reach the pixels of each phase `i mod stride`: those with `(i + pad - tap * dilation) mod stride = 0`.
    fn phases(&self, d: usize) -> Phases {
        let (stride, dilation, kernel) = (self.stride[d], self.dilation[d], self.kernel[d]);
        let tap_step = stride / gcd(stride, dilation);
        let taps = |phase: u32| {
            let rest = (phase + self.padding[d][0]) % stride;
            (0..kernel.min(tap_step)).find(|tap| (tap * dilation) % stride == rest)
        };
        let first: Vec<Option<u32>> = (0..stride).map(taps).collect();
        let count = |first: &Option<u32>| first.map_or(0, |f| (kernel - f).div_ceil(tap_step));
        Phases {
            count: first.iter().map(count).collect(),
            first: first.iter().map(|f| f.unwrap_or(0)).collect(),
            tap_step,
            out_step: tap_step * dilation / stride,
        }
    }
}

/// A function of the phase that has these values.
fn select(name: &str, values: &[u32]) -> String {
    let usual = values.first().copied().unwrap_or_default();
    let others = values.iter().enumerate().filter(|&(_, &value)| value != usual);
    let value =
        others.fold(format!("{usual}u"), |rest, (phase, value)| format!("select({rest}, {value}u, phase == {phase}u)"));
    format!("fn {name}(phase: u32) -> u32 {{\n    return {value};\n}}")
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
