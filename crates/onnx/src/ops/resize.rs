//! Resizing: each axis is a linear map, made here as a matrix or as indices.

use chiaro_graph::{DType, Graph, Tensor, Var};

use crate::call::{Call, axis};
use crate::error::{OnnxError, Result};
use crate::host::Host;
use crate::record::Recorder;
use crate::value::{Held, Order, Value};

/// How one axis is resized.
struct Along {
    input: usize,
    output: usize,
    scale: f64,
    roi: [f64; 2],
}

/// The attributes of a Resize.
struct Manner {
    mode: String,
    transform: String,
    nearest: String,
    cubic: f64,
    exclude_outside: bool,
    antialias: bool,
    extrapolation: f64,
}

impl Manner {
    fn of(call: &Call<'_>) -> Manner {
        Manner {
            mode: call.text("mode", "nearest"),
            transform: call
                .text("coordinate_transformation_mode", if call.opset < 11 { "asymmetric" } else { "half_pixel" }),
            nearest: call.text("nearest_mode", if call.opset < 11 { "floor" } else { "round_prefer_floor" }),
            cubic: call.float("cubic_coeff_a", -0.75),
            exclude_outside: call.flag("exclude_outside", false),
            antialias: call.flag("antialias", false),
            extrapolation: call.float("extrapolation_value", 0.0),
        }
    }

    /// Where an output element lies in the input.
    fn place(&self, a: &Along, i: usize) -> f64 {
        // The specification's extent of the result is not rounded where corners are aligned.
        let (i, n, m) = (i as f64, a.input as f64, a.output as f64);
        let exact = n * a.scale;
        match self.transform.as_str() {
            "asymmetric" => i / a.scale,
            "align_corners" if a.output == 1 => 0.0,
            "align_corners" => i * (n - 1.0) / (exact - 1.0),
            "pytorch_half_pixel" if a.output == 1 => 0.0,
            "half_pixel_symmetric" => {
                let adjusted = m / (a.scale * n);
                n / 2.0 * (1.0 - adjusted) + (i + 0.5) / a.scale - 0.5
            }
            "tf_half_pixel_for_nn" => (i + 0.5) / a.scale,
            "tf_crop_and_resize" if a.output == 1 => 0.5 * (a.roi[0] + a.roi[1]) * (n - 1.0),
            "tf_crop_and_resize" => a.roi[0] * (n - 1.0) + i * (a.roi[1] - a.roi[0]) * (n - 1.0) / (m - 1.0),
            _ => (i + 0.5) / a.scale - 0.5,
        }
    }

    fn nearest(&self, place: f64) -> f64 {
        match self.nearest.as_str() {
            "floor" => place.floor(),
            "ceil" => place.ceil(),
            "round_prefer_ceil" => (place + 0.5).floor(),
            _ => (place - 0.5).ceil(),
        }
    }

    fn is_outside(&self, a: &Along, place: f64) -> bool {
        self.transform == "tf_crop_and_resize" && !(0.0..=(a.input - 1) as f64).contains(&place)
    }

    /// Shares of the input elements in one output element.
    fn row(&self, a: &Along, i: usize) -> Vec<f64> {
        let mut row = vec![0.0; a.input];
        let place = self.place(a, i);
        if self.is_outside(a, place) {
            return row;
        }
        let last = a.input as i64 - 1;
        if self.mode == "nearest" {
            row[(self.nearest(place) as i64).clamp(0, last) as usize] = 1.0;
            return row;
        }
        // Where pixels are left out, a wide kernel looks at all of them.
        let shrink = if self.antialias { a.scale.min(1.0) } else { 1.0 };
        let reach = if self.mode == "linear" { 1.0 } else { 2.0 } / shrink;
        let (from, to) = ((place - reach).floor() as i64, (place + reach).ceil() as i64);
        let mut all = 0.0;
        for p in from..=to {
            let distance = ((p as f64 - place) * shrink).abs();
            let share = if self.mode == "linear" { (1.0 - distance).max(0.0) } else { cubic(distance, self.cubic) };
            if self.exclude_outside && !(0..=last).contains(&p) {
                continue;
            }
            row[p.clamp(0, last) as usize] += share;
            all += share;
        }
        if self.exclude_outside || self.antialias {
            row.iter_mut().for_each(|share| *share /= all);
        }
        row
    }
}

/// The cubic kernel of Keys.
fn cubic(x: f64, a: f64) -> f64 {
    if x <= 1.0 {
        (a + 2.0) * x.powi(3) - (a + 3.0) * x.powi(2) + 1.0
    } else if x < 2.0 {
        a * x.powi(3) - 5.0 * a * x.powi(2) + 8.0 * a * x - 4.0 * a
    } else {
        0.0
    }
}

pub(crate) fn upsample<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let scales = match call.floats("scales") {
        Some(scales) => scales,
        None => r.known(call, 1)?.to_floats()?,
    };
    let scales: Vec<f64> = scales.iter().map(|&s| f64::from(s)).collect();
    let manner = Manner { transform: "asymmetric".into(), nearest: "floor".into(), ..Manner::of(call) };
    apply(r, call, &manner, |shape| {
        Ok(shape.iter().zip(&scales).map(|(&n, &s)| ((n as f64 * s).floor() as usize, s)).collect())
    })
}

pub(crate) fn resize<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let manner = Manner::of(call);
    let (scales, sizes) = if call.opset < 11 { (1, usize::MAX) } else { (2, 3) };
    let given = |r: &Recorder<'a>, i: usize| -> Result<Option<Host>> {
        Ok(r.known_if(call, i)?.filter(|host| !host.is_empty()))
    };
    let (scales, sizes) = (given(r, scales)?, given(r, sizes)?);
    let policy = call.text("keep_aspect_ratio_policy", "stretch");
    let named = call.ints("axes");
    apply(r, call, &manner, |shape| {
        let axes = match &named {
            Some(axes) => axes.iter().map(|&a| axis(a, shape.len())).collect::<Result<Vec<_>>>()?,
            None => (0..shape.len()).collect(),
        };
        let mut targets: Vec<(usize, f64)> = shape.iter().map(|&n| (n, 1.0)).collect();
        if let Some(scales) = &scales {
            for (&a, s) in axes.iter().zip(scales.to_floats()?) {
                targets[a] = ((shape[a] as f64 * f64::from(s)).floor() as usize, f64::from(s));
            }
        } else if let Some(sizes) = &sizes {
            let sizes = sizes.to_ints()?;
            let each: Vec<f64> = axes.iter().zip(&sizes).map(|(&a, &n)| n as f64 / shape[a] as f64).collect();
            let one = match policy.as_str() {
                "not_larger" => each.iter().copied().reduce(f64::min),
                "not_smaller" => each.iter().copied().reduce(f64::max),
                _ => None,
            };
            for (i, &a) in axes.iter().enumerate() {
                targets[a] = match one {
                    Some(s) => ((shape[a] as f64 * s).round() as usize, s),
                    None => (sizes[i].max(0) as usize, each[i]),
                };
            }
        } else {
            return Err(OnnxError::node("neither scales nor sizes are given"));
        }
        Ok(targets)
    })
}

/// Resizes each axis whose target differs; `targets` gives extent and scale of each.
fn apply<'a>(
    r: &mut Recorder<'a>,
    call: &Call<'a>,
    manner: &Manner,
    targets: impl Fn(&[usize]) -> Result<Vec<(usize, f64)>>,
) -> Result<Vec<Value>> {
    let value = r.value(call, 0)?;
    let held = r.held(&value)?;
    let order = match &held.order {
        Order::Axes(axes) => axes.clone(),
        Order::Pixels(_) => vec![0, 1],
    };
    let mut var = held.ordered(r.graph(), &order)?;
    let shape = held.shape(r.graph());
    let targets = targets(&shape)?;
    let crop = manner.transform == "tf_crop_and_resize";
    let named = call.ints("axes").unwrap_or_else(|| (0..shape.len() as i64).collect());
    let roi = if crop { r.known(call, 1)?.to_floats()? } else { vec![] };
    let mut outside: Option<Var> = None;
    for (place, &a) in order.iter().enumerate() {
        let (output, scale) = targets[a];
        let at = named.iter().position(|&n| axis(n, shape.len()).is_ok_and(|n| n == a));
        let of = |i: Option<usize>, usual: f64| i.and_then(|i| roi.get(i)).map_or(usual, |&v| f64::from(v));
        let along = Along { input: shape[a], output, scale, roi: [of(at, 0.0), of(at.map(|i| i + named.len()), 1.0)] };
        if output == 0 {
            return r.fault(format!("axis {a} would have no element"));
        }
        if output == shape[a] && scale == 1.0 && !crop {
            continue;
        }
        var = one_axis(r.graph(), var, place, manner, &along)?;
        let beyond: Vec<f64> =
            (0..output).map(|i| f64::from(u8::from(manner.is_outside(&along, manner.place(&along, i))))).collect();
        if beyond.contains(&1.0) {
            let mut extents = vec![1; shape.len()];
            extents[place] = output;
            let mask = Tensor::from_f64(extents, DType::Bool, &beyond).ok_or_else(|| OnnxError::node("no mask"))?;
            let mask = r.constant(mask)?;
            outside = Some(match outside {
                Some(other) => r.graph().or(other, mask)?,
                None => mask,
            });
        }
    }
    if let Some(mask) = outside {
        var = r.graph().where_(mask, manner.extrapolation, var)?;
    }
    Ok(vec![Value::Device(Held { var, order: Order::Axes(order) })])
}

fn one_axis(g: &mut Graph, x: Var, place: usize, manner: &Manner, along: &Along) -> Result<Var> {
    let rows: Vec<Vec<f64>> = (0..along.output).map(|i| manner.row(along, i)).collect();
    // Selected elements are moved, not multiplied.
    if manner.mode == "nearest" {
        let index: Vec<i32> = rows.iter().map(|row| row.iter().position(|&v| v > 0.5).unwrap_or(0) as i32).collect();
        let index = Tensor::i32([index.len()], index).ok_or_else(|| OnnxError::node("no rows"))?;
        let index = g.constant(index)?;
        return Ok(g.index_select(x, index, place)?);
    }
    let shape = g.shape(x).to_vec();
    let (before, after): (usize, usize) = (shape[..place].iter().product(), shape[place + 1..].iter().product());
    let flat = g.reshape(x, &[before, along.input, after])?;
    let dtype = g.dtype(x);
    let matrix = Tensor::from_f64([1, along.output, along.input], dtype, &rows.concat());
    let matrix = g.constant(matrix.ok_or_else(|| OnnxError::node("no matrix"))?)?;
    let y = g.matmul(matrix, flat, false, false)?;
    let mut shape = shape;
    shape[place] = along.output;
    Ok(g.reshape(y, &shape)?)
}
