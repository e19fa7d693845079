//! Convolutions of one and two axes.

use chiaro_graph::{ConvSpec, Var};

use crate::call::Call;
use crate::error::{OnnxError, Result};
use crate::host::Host;
use crate::record::{Recorder, Step, stepped};
use crate::value::Value;

/// Padding in front and behind of each axis, as `auto_pad` or `pads` say.
pub(crate) fn padding(
    call: &Call<'_>,
    input: &[usize],
    kernel: &[usize],
    stride: &[usize],
    dilation: &[usize],
) -> Result<Vec<[i64; 2]>> {
    let axes = input.len();
    let same = |upper: bool| {
        (0..axes).map(move |a| {
            let reach = ((kernel[a] - 1) * dilation[a] + 1) as i64;
            let all = (((input[a].div_ceil(stride[a]) - 1) * stride[a]) as i64 + reach - input[a] as i64).max(0);
            if upper { [all / 2, all - all / 2] } else { [all - all / 2, all / 2] }
        })
    };
    match call.text("auto_pad", "NOTSET").as_str() {
        "SAME_UPPER" => Ok(same(true).collect()),
        "SAME_LOWER" => Ok(same(false).collect()),
        "VALID" => Ok(vec![[0, 0]; axes]),
        _ => {
            let pads = call.ints("pads").unwrap_or_else(|| vec![0; 2 * axes]);
            if pads.len() != 2 * axes {
                return Err(OnnxError::node(format!("pads {pads:?} are not two an axis")));
            }
            Ok((0..axes).map(|a| [pads[a], pads[axes + a]]).collect())
        }
    }
}

/// Geometry of a convolution over `axes` axes, and of its weight's kernel.
struct Geometry {
    stride: Vec<usize>,
    dilation: Vec<usize>,
    groups: usize,
    kernel: Vec<usize>,
}

fn geometry(call: &Call<'_>, weight: &[usize], rank: usize) -> Result<Geometry> {
    let axes = rank.saturating_sub(2);
    if !(1..=2).contains(&axes) || weight.len() != rank {
        let detail =
            format!("convolutions over {axes} axes with a weight {weight:?} are not supported, but over 1 and 2");
        return Err(OnnxError::node(detail));
    }
    let (stride, dilation) = (call.extents("strides", axes, 1)?, call.extents("dilations", axes, 1)?);
    if stride.contains(&0) || dilation.contains(&0) || weight.contains(&0) {
        return Err(OnnxError::node("strides, dilations and kernels must be positive"));
    }
    let groups = usize::try_from(call.int("group", 1)).ok().filter(|&g| g > 0);
    let groups = groups.ok_or_else(|| OnnxError::node("there must be a positive number of groups"))?;
    Ok(Geometry { stride, dilation, groups, kernel: weight[2..].to_vec() })
}

/// Two numbers of one or two axes; a missing first one is `usual`.
fn both<T: Copy>(of: &[T], usual: T) -> [T; 2] {
    match of {
        [one] => [usual, *one],
        [first, second, ..] => [*first, *second],
        [] => [usual; 2],
    }
}

/// The steps that bring a weight `[a,b,K..]` to `[a,KH,KW,b]`.
fn weight_steps(shape: &[usize]) -> Vec<Step> {
    match shape {
        &[a, b, k] => vec![Step::Reshape(vec![a, b, 1, k]), Step::Permute(vec![0, 2, 3, 1])],
        _ => vec![Step::Permute(vec![0, 2, 3, 1])],
    }
}

/// x with two axes of pixels.
fn image<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<(Var, usize)> {
    let x = r.image(call, 0)?;
    let shape = r.graph().shape(x).to_vec();
    let x = match shape[..] {
        [n, l, c] => r.graph().reshape(x, &[n, 1, l, c])?,
        _ => x,
    };
    Ok((r.sink.operand(x)?, shape.len()))
}

/// The bias, and the axes as they were.
fn finished<'a>(r: &mut Recorder<'a>, call: &Call<'a>, y: Var, rank: usize) -> Result<Vec<Value>> {
    let mut y = y;
    if call.input(2).is_some() {
        let bias = r.parameter(call, 2, &[])?;
        y = add_bias(r, y, bias)?;
    }
    let shape = r.graph().shape(y).to_vec();
    if rank == 3 {
        y = r.graph().reshape(y, &[shape[0], shape[2], shape[3]])?;
    }
    Ok(r.last(y))
}

/// y + bias, stored as y is.
pub(crate) fn add_bias(r: &mut Recorder<'_>, y: Var, bias: Var) -> Result<Var> {
    let g = r.graph();
    let (stored, wide) = (g.dtype(y), g.dtype(bias));
    let y = g.cast(y, wide)?;
    let sum = g.add(y, bias)?;
    Ok(g.cast(sum, stored)?)
}

pub(crate) fn conv<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let weight = r.value(call, 1)?;
    let weight = r.shape(&weight);
    let (x, rank) = image(r, call)?;
    let spec = spec(r, call, x, rank, &weight)?;
    let w = r.weight(call, 1, &weight_steps(&weight))?;
    let y = r.graph().conv2d(x, w, &spec)?;
    finished(r, call, y, rank)
}

/// A convolution of images `[N,H,W,C]` with fixed numbers in ONNX' order, which are no parameters.
pub(crate) fn fixed<'a>(r: &mut Recorder<'a>, call: &Call<'a>, x: Var, weight: Host) -> Result<Vec<Value>> {
    let shape = weight.shape.clone();
    let spec = spec(r, call, x, 4, &shape)?;
    let weight = stepped(weight, &weight_steps(&shape))?.to_tensor()?;
    let w = r.constant(weight)?;
    let y = r.graph().conv2d(x, w, &spec)?;
    Ok(r.last(y))
}

/// How a convolution goes over images that had so many axes.
fn spec<'a>(r: &mut Recorder<'a>, call: &Call<'a>, x: Var, rank: usize, weight: &[usize]) -> Result<ConvSpec> {
    let geometry = geometry(call, weight, rank)?;
    let shape = r.graph().shape(x).to_vec();
    let pads = padding(call, &shape[4 - (rank - 1)..3], &geometry.kernel, &geometry.stride, &geometry.dilation)?;
    let [rows, columns] = both(&pads, [0, 0]);
    let padding: Option<Vec<usize>> = rows.iter().chain(&columns).map(|&n| usize::try_from(n).ok()).collect();
    let Some(padding) = padding.and_then(|p| <[usize; 4]>::try_from(p).ok()) else {
        return r.fault(format!("negative padding {pads:?} is not supported"));
    };
    Ok(ConvSpec {
        stride: both(&geometry.stride, 1),
        padding,
        dilation: both(&geometry.dilation, 1),
        groups: geometry.groups,
    })
}

pub(crate) fn transpose<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let weight = r.value(call, 1)?;
    let weight = r.shape(&weight);
    let (x, rank) = image(r, call)?;
    let geometry = geometry(call, &weight, rank)?;
    let axes = rank - 2;
    let shape = r.graph().shape(x).to_vec();
    let input = &shape[4 - (rank - 1)..3];
    let extra = call.extents("output_padding", axes, 0)?;
    let full: Vec<usize> = (0..axes)
        .map(|a| (input[a] - 1) * geometry.stride[a] + (geometry.kernel[a] - 1) * geometry.dilation[a] + 1)
        .collect();
    let windows = windows(call, &geometry, input, &full, &extra)?;
    let w = r.weight(call, 1, &weight_steps(&weight))?;
    let spec = ConvSpec {
        stride: both(&geometry.stride, 1),
        padding: [0; 4],
        dilation: both(&geometry.dilation, 1),
        groups: geometry.groups,
    };
    // The whole result first, of which a window is taken; what lies beyond it is zero.
    let y = r.graph().conv_transpose2d(x, w, &spec, [0, 0])?;
    let mut y = y;
    for (a, &(start, out)) in windows.iter().enumerate() {
        y = window(r, y, 3 - axes + a, start, out)?;
    }
    finished(r, call, y, rank)
}

/// First element and extent of the result within the whole one, for each axis.
fn windows(
    call: &Call<'_>,
    geometry: &Geometry,
    input: &[usize],
    full: &[usize],
    extra: &[usize],
) -> Result<Vec<(i64, i64)>> {
    let axes = input.len();
    let auto = call.text("auto_pad", "NOTSET");
    let wanted = match (call.ints("output_shape"), auto.as_str()) {
        (Some(shape), _) => Some(shape[shape.len().saturating_sub(axes)..].to_vec()),
        (None, "SAME_UPPER" | "SAME_LOWER") => {
            Some((0..axes).map(|a| (input[a] * geometry.stride[a]) as i64).collect())
        }
        (None, _) => None,
    };
    let Some(wanted) = wanted.filter(|w| w.len() == axes) else {
        let pads = padding(call, input, &geometry.kernel, &geometry.stride, &geometry.dilation)?;
        return Ok((0..axes)
            .map(|a| (pads[a][0], full[a] as i64 + extra[a] as i64 - pads[a][0] - pads[a][1]))
            .collect());
    };
    Ok((0..axes)
        .map(|a| {
            let all = full[a] as i64 + extra[a] as i64 - wanted[a];
            let front = if auto == "SAME_UPPER" { all / 2 } else { all - all / 2 };
            (front.max(0), wanted[a])
        })
        .collect())
}

/// `len` elements of an axis from `start` on; zeros beyond the axis.
fn window(r: &mut Recorder<'_>, y: Var, axis: usize, start: i64, len: i64) -> Result<Var> {
    let n = r.graph().shape(y)[axis] as i64;
    let (from, to) = (start.clamp(0, n), (start + len).clamp(0, n));
    if from >= to {
        return Err(OnnxError::node("the padding leaves nothing of the result"));
    }
    let g = r.graph();
    let inner = g.narrow(y, axis, from as usize, to as usize)?;
    let rank = g.shape(inner).len();
    let (mut low, mut high) = (vec![0; rank], vec![0; rank]);
    low[axis] = (from - start) as usize;
    high[axis] = (start + len - to) as usize;
    Ok(g.pad(inner, &low, &high, 0.0)?)
}
