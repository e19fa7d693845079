//! Pooling over one to three axes, channels last. What kernels of two axes lack is put around them: uneven padding, and the third axis.

use chiaro_graph::{AvgDivisor, ConvSpec, DType, Graph, PoolSpec, ReduceKind, Tensor, Var};

use super::conv::padding;
use crate::call::Call;
use crate::error::{OnnxError, Result};
use crate::record::Recorder;
use crate::value::Value;

/// Windows over all axes of pixels.
struct Windows {
    kernel: Vec<usize>,
    stride: Vec<usize>,
    dilation: Vec<usize>,
    pads: Vec<[usize; 2]>,
    input: Vec<usize>,
    output: Vec<usize>,
}

impl Windows {
    fn of(call: &Call<'_>, input: &[usize]) -> Result<Windows> {
        let axes = input.len();
        let kernel = call.extents("kernel_shape", axes, 0)?;
        let (stride, dilation) = (call.extents("strides", axes, 1)?, call.extents("dilations", axes, 1)?);
        if kernel.contains(&0) || stride.contains(&0) || dilation.contains(&0) || !(1..=3).contains(&axes) {
            return Err(OnnxError::node(format!("windows of {kernel:?}, strides {stride:?} over {axes} axes")));
        }
        let given = padding(call, input, &kernel, &stride, &dilation)?;
        let pads: Option<Vec<[usize; 2]>> =
            given.iter().map(|p| Some([usize::try_from(p[0]).ok()?, usize::try_from(p[1]).ok()?])).collect();
        let pads = pads.ok_or_else(|| OnnxError::node("negative padding is not supported"))?;
        let ceil = call.flag("ceil_mode", false);
        let output: Option<Vec<usize>> = (0..axes)
            .map(|a| {
                let reach = (kernel[a] - 1) * dilation[a] + 1;
                let room = (input[a] + pads[a][0] + pads[a][1]).checked_sub(reach)?;
                let mut n = if ceil { room.div_ceil(stride[a]) } else { room / stride[a] } + 1;
                // A window must begin within the image or the padding before it.
                if ceil && (n - 1) * stride[a] >= input[a] + pads[a][0] {
                    n -= 1;
                }
                Some(n)
            })
            .collect();
        let output = output.ok_or_else(|| OnnxError::node("a window is larger than the padded image"))?;
        Ok(Windows { kernel, stride, dilation, pads, input: input.to_vec(), output })
    }

    /// Puts a number around the image so that the windows fit exactly.
    fn padded(&self, g: &mut Graph, x: Var, number: f64) -> Result<Var> {
        let axes = self.input.len();
        let (mut low, mut high) = (vec![0; axes + 2], vec![0; axes + 2]);
        for a in 0..axes {
            let reach = (self.kernel[a] - 1) * self.dilation[a] + 1;
            let needed = (self.output[a] - 1) * self.stride[a] + reach;
            low[1 + a] = self.pads[a][0];
            high[1 + a] = needed.saturating_sub(self.input[a] + self.pads[a][0]);
        }
        Ok(g.pad(x, &low, &high, number)?)
    }

    /// Whether a kernel of two axes pads as this does.
    fn is_even(&self) -> bool {
        let even = |a: usize| self.pads[a][0] == self.pads[a][1] && self.pads[a][0] <= self.kernel[a] / 2;
        let floor = |a: usize| {
            let reach = (self.kernel[a] - 1) * self.dilation[a] + 1;
            (self.input[a] + 2 * self.pads[a][0] - reach) / self.stride[a] + 1 == self.output[a]
        };
        self.input.len() == 2 && (0..2).all(|a| even(a) && floor(a))
    }

    fn spec(&self, padding: [usize; 2]) -> PoolSpec {
        let both = |v: &[usize]| [v[0], v[1]];
        PoolSpec {
            kernel: both(&self.kernel),
            stride: both(&self.stride),
            padding,
            dilation: both(&self.dilation),
            ceil_mode: false,
        }
    }

    /// Pools a padded image, two axes at a time.
    fn pooled(&self, g: &mut Graph, x: Var, pool: impl Fn(&mut Graph, Var, &PoolSpec) -> Result<Var>) -> Result<Var> {
        let shape = g.shape(x).to_vec();
        let (n, c, axes) = (shape[0], shape[shape.len() - 1], self.input.len());
        let spec = |first: Option<usize>, second: Option<usize>| {
            let of = |v: &[usize]| [first.map_or(1, |a| v[a]), second.map_or(1, |a| v[a])];
            PoolSpec {
                kernel: of(&self.kernel),
                stride: of(&self.stride),
                padding: [0, 0],
                dilation: of(&self.dilation),
                ceil_mode: false,
            }
        };
        let flat = match axes {
            1 => [n, 1, shape[1], c],
            2 => [n, shape[1], shape[2], c],
            _ => [n * shape[1], shape[2], shape[3], c],
        };
        let y = g.reshape(x, &flat)?;
        let mut y = pool(g, y, &spec(axes.checked_sub(2), Some(axes - 1)))?;
        if axes == 3 {
            let rest = self.output[1] * self.output[2];
            let deep = g.reshape(y, &[n, shape[1], rest, c])?;
            y = pool(g, deep, &spec(Some(0), None))?;
        }
        Ok(g.reshape(y, &[&[n], &self.output[..], &[c]].concat())?)
    }

    /// Elements of the image, or of it and its padding, under each window: `[1, output, 1]`.
    fn counts(&self, with_padding: bool) -> Vec<f64> {
        let along = |a: usize| -> Vec<f64> {
            let (low, high) = if with_padding {
                (0, self.pads[a][0] + self.input[a] + self.pads[a][1])
            } else {
                (self.pads[a][0], self.pads[a][0] + self.input[a])
            };
            let within = |o: usize| {
                let taps = (0..self.kernel[a]).map(|k| o * self.stride[a] + k * self.dilation[a]);
                taps.filter(|t| (low..high).contains(t)).count() as f64
            };
            (0..self.output[a]).map(within).collect()
        };
        let mut counts = vec![1.0];
        for a in 0..self.input.len() {
            let next = along(a);
            counts = counts.iter().flat_map(|c| next.iter().map(move |n| c * n)).collect();
        }
        counts
    }
}

pub(crate) fn max<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let stored = r.image(call, 0)?;
    let g = r.graph();
    let dtype = g.dtype(stored);
    let x = if dtype.is_float() { stored } else { g.cast(stored, DType::F32)? };
    let shape = g.shape(x).to_vec();
    let windows = Windows::of(call, inside(&shape)?)?;
    if windows.is_even() {
        let spec = windows.spec([windows.pads[0][0], windows.pads[1][0]]);
        let y = g.max_pool2d(x, &spec)?;
        let y = g.cast(y, dtype)?;
        let index = if call.wants(1) { Some(g.max_pool2d_index(x, &spec)?) } else { None };
        let mut results = r.last(y);
        if let Some(index) = index {
            let index = places(r.graph(), index, &shape, call.flag("storage_order", false))?;
            results.extend(r.last(index));
        }
        return Ok(results);
    }
    if call.wants(1) {
        return r.fault("indices of windows with uneven padding, or not over two axes, are not supported");
    }
    let padded = windows.padded(g, x, f64::NEG_INFINITY)?;
    let y = windows.pooled(g, padded, |g, x, spec| Ok(g.max_pool2d(x, spec)?))?;
    let y = g.cast(y, dtype)?;
    Ok(r.last(y))
}

/// Places within a plane to those within the whole tensor, as ONNX counts them.
fn places(g: &mut Graph, index: Var, image: &[usize], columns_first: bool) -> Result<Var> {
    let &[n, h, w, c] = image else { return Err(OnnxError::node("indices are of images")) };
    let mut index = index;
    if columns_first {
        // The row is the quotient by the width, which floats hold exactly for all planes that fit a kernel.
        let float = g.cast(index, DType::F32)?;
        let half = g.add(float, 0.5)?;
        let row = g.div(half, w as f64)?;
        let row = g.floor(row)?;
        let row = g.cast(row, DType::I32)?;
        let start = g.mul(row, w as f64)?;
        let column = g.sub(index, start)?;
        let column = g.mul(column, h as f64)?;
        index = g.add(column, row)?;
    }
    for (extent, step, shape) in [(n, c * h * w, [n, 1, 1, 1]), (c, h * w, [1, 1, 1, c])] {
        let positions = g.iota(extent)?;
        let positions = g.mul(positions, step as f64)?;
        let positions = g.reshape(positions, &shape)?;
        index = g.add(index, positions)?;
    }
    Ok(index)
}

/// The extents of an image between its number and its channels.
fn inside(shape: &[usize]) -> Result<&[usize]> {
    match shape {
        [_, places @ .., _] if !places.is_empty() => Ok(places),
        _ => Err(OnnxError::node(format!("takes images, not values of {} axes", shape.len()))),
    }
}

pub(crate) fn average<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let x = r.image(call, 0)?;
    let g = r.graph();
    let shape = g.shape(x).to_vec();
    let windows = Windows::of(call, inside(&shape)?)?;
    let with_padding = call.flag("count_include_pad", false);
    if windows.is_even() && windows.dilation == [1, 1] {
        let divisor = if with_padding { AvgDivisor::IncludePadding } else { AvgDivisor::ExcludePadding };
        let y = g.avg_pool2d(x, &windows.spec([windows.pads[0][0], windows.pads[1][0]]), divisor)?;
        return Ok(r.last(y));
    }
    let sums = sums(g, &windows, x)?;
    let counts =
        Tensor::from_f64([&[1], &windows.output[..], &[1]].concat(), g.dtype(x), &windows.counts(with_padding));
    let counts = g.constant(counts.ok_or_else(|| OnnxError::node("no windows"))?)?;
    let y = g.div(sums, counts)?;
    Ok(r.last(y))
}

/// Sums of windows, zeros in the padding.
fn sums(g: &mut Graph, windows: &Windows, x: Var) -> Result<Var> {
    let padded = windows.padded(g, x, 0.0)?;
    let dilated = windows.dilation.iter().any(|&d| d > 1);
    windows.pooled(g, padded, |g, x, spec| {
        let (c, dtype) = (g.shape(x)[3], g.dtype(x));
        if dilated {
            // A convolution of each channel with ones.
            let ones = g.full(&[c, spec.kernel[0], spec.kernel[1], 1], 1.0, dtype)?;
            let conv = ConvSpec { stride: spec.stride, padding: [0; 4], dilation: spec.dilation, groups: c };
            return Ok(g.conv2d(x, ones, &conv)?);
        }
        let mean = g.avg_pool2d(x, spec, AvgDivisor::IncludePadding)?;
        Ok(g.mul(mean, (spec.kernel[0] * spec.kernel[1]) as f64)?)
    })
}

pub(crate) fn lp<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let x = r.image(call, 0)?;
    let p = call.int("p", 2) as f64;
    let g = r.graph();
    let shape = g.shape(x).to_vec();
    let windows = Windows::of(call, inside(&shape)?)?;
    let size = g.abs(x)?;
    let powers = g.powf(size, p)?;
    let sums = sums(g, &windows, powers)?;
    let y = g.powf(sums, 1.0 / p)?;
    Ok(r.last(y))
}

pub(crate) fn global<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let x = r.image(call, 0)?;
    let g = r.graph();
    let axes: Vec<usize> = (1..g.shape(x).len().saturating_sub(1)).collect();
    let y = if call.proto.op_type() == "GlobalAveragePool" {
        g.mean(x, &axes, true)?
    } else {
        g.reduce(ReduceKind::Max, x, &axes, true)?
    };
    Ok(r.last(y))
}

/// Local response normalisation: each channel by the squares of its neighbours.
pub(crate) fn lrn<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let x = r.image(call, 0)?;
    let size = usize::try_from(call.int("size", 1)).ok().filter(|&n| n > 0);
    let size = size.ok_or_else(|| OnnxError::node("the size must be positive"))?;
    let g = r.graph();
    let (rank, c) = (g.shape(x).len(), g.shape(x).last().copied().unwrap_or(1));
    let square = g.square(x)?;
    let (mut low, mut high) = (vec![0; rank], vec![0; rank]);
    (low[rank - 1], high[rank - 1]) = ((size - 1) / 2, size / 2);
    let padded = g.pad(square, &low, &high, 0.0)?;
    let mut sum = g.narrow(padded, rank - 1, 0, c)?;
    for k in 1..size {
        let next = g.narrow(padded, rank - 1, k, k + c)?;
        sum = g.add(sum, next)?;
    }
    let scaled = g.mul(sum, call.float("alpha", 1e-4) / size as f64)?;
    let base = g.add(scaled, call.float("bias", 1.0))?;
    let factor = g.powf(base, -call.float("beta", 0.75))?;
    let y = g.mul(x, factor)?;
    Ok(r.last(y))
}
