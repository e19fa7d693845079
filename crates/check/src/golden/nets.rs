//! PyTorch's layers and losses as graph ops: convolution, pooling, normalisation, resizing, losses.

use super::operands::{Operands, Results, i32_of, operand, pad};
use super::{Attrs, GoldenCase, GoldenError};
use chiaro_graph::{
    AvgDivisor, ConvSpec, CrossEntropyOptions, DType, Elementwise, Graph, PoolSpec, Reduction, ResizeMode, Var,
};

/// Adds the ops of a case, if it is one of these operators.
pub(super) fn build(g: &mut Graph, case: &GoldenCase, v: &Operands) -> Result<Option<Results>, GoldenError> {
    let a = &case.attrs;
    let x = || operand(case, v, "input");
    Ok(Some(match case.op.as_str() {
        "conv2d" => conv(g, case, v)?,
        "conv_transpose2d" => conv_transpose(g, case, v)?,
        "max_pool2d" => {
            let spec = pool(a, a.pair("dilation")?)?;
            let (y, index) = (g.max_pool2d(x()?, &spec)?, g.max_pool2d_index(x()?, &spec)?);
            Results { values: vec![("output", y), ("indices", index)], inner: 1 }
        }
        "avg_pool2d" => {
            let divisor = match (a.given("divisor_override"), a.flag("count_include_pad")?) {
                (true, _) => AvgDivisor::Fixed(a.integer("divisor_override")? as usize),
                (false, true) => AvgDivisor::IncludePadding,
                (false, false) => AvgDivisor::ExcludePadding,
            };
            g.avg_pool2d(x()?, &pool(a, [1, 1])?, divisor)?.into()
        }
        "adaptive_avg_pool2d" => g.adaptive_avg_pool2d(x()?, a.pair("output_size")?)?.into(),
        "adaptive_max_pool2d" => g.adaptive_max_pool2d(x()?, a.pair("output_size")?)?.into(),
        "batch_norm" => batch_norm(g, case, v)?,
        "layer_norm" => {
            let axes = a.sizes("normalized_shape")?.len();
            g.layer_norm(x()?, axes, v.get("weight").copied(), v.get("bias").copied(), a.number("eps")?)?.into()
        }
        "group_norm" => {
            let groups = a.integer("num_groups")? as usize;
            g.group_norm(x()?, groups, v.get("weight").copied(), v.get("bias").copied(), a.number("eps")?)?.into()
        }
        "interpolate" => interpolate(g, case, x()?)?,
        "cross_entropy" => cross_entropy(g, case, v)?,
        "nll_loss" => {
            let options = loss_options(a, v, 0.0)?;
            g.nll_loss(x()?, operand(case, v, "target")?, &options)?.into()
        }
        "mse_loss" => g.mse_loss(x()?, operand(case, v, "target")?, reduction(a)?)?.into(),
        "l1_loss" => g.l1_loss(x()?, operand(case, v, "target")?, reduction(a)?)?.into(),
        "huber_loss" => g.huber_loss(x()?, operand(case, v, "target")?, a.number("delta")?, reduction(a)?)?.into(),
        "smooth_l1_loss" => {
            g.smooth_l1_loss(x()?, operand(case, v, "target")?, a.number("beta")?, reduction(a)?)?.into()
        }
        "binary_cross_entropy_with_logits" => {
            let weight = v.get("pos_weight").copied();
            g.bce_with_logits(x()?, operand(case, v, "target")?, weight, reduction(a)?)?.into()
        }
        _ => return Ok(None),
    }))
}

fn conv(g: &mut Graph, case: &GoldenCase, v: &Operands) -> Result<Results, GoldenError> {
    let a = &case.attrs;
    let (mut x, w) = (operand(case, v, "input")?, operand(case, v, "weight")?);
    let [ph, pw] = a.pair("padding")?;
    let mut spec = ConvSpec {
        stride: a.pair("stride")?,
        padding: [ph, ph, pw, pw],
        dilation: a.pair("dilation")?,
        groups: a.integer("groups")? as usize,
    };
    if a.given("pad") {
        let around = a.integers("pad")?;
        // Left, right, top, bottom; what is negative crops, the rest is asymmetric padding of the convolution.
        let crop: Vec<i64> = [0, 0].into_iter().chain(around.iter().map(|&n| n.min(0))).collect();
        x = pad(g, x, &crop, "constant", 0.0)?;
        for (side, from) in [2, 3, 0, 1].into_iter().enumerate() {
            spec.padding[side] += around[from].max(0) as usize;
        }
    }
    let inner = g.shape(w)[1..].iter().product();
    let y = g.conv2d(x, w, &spec)?;
    Ok(Results { inner, ..with_bias(g, y, v)?.into() })
}

fn conv_transpose(g: &mut Graph, case: &GoldenCase, v: &Operands) -> Result<Results, GoldenError> {
    let a = &case.attrs;
    let (x, w) = (operand(case, v, "input")?, operand(case, v, "weight")?);
    let [ph, pw] = a.pair("padding")?;
    let spec = ConvSpec {
        stride: a.pair("stride")?,
        padding: [ph, ph, pw, pw],
        dilation: a.pair("dilation")?,
        groups: a.integer("groups")? as usize,
    };
    let inner = g.shape(w)[..3].iter().product::<usize>() / spec.groups;
    let y = g.conv_transpose2d(x, w, &spec, a.pair("output_padding")?)?;
    Ok(Results { inner, ..with_bias(g, y, v)?.into() })
}

fn with_bias(g: &mut Graph, y: Var, v: &Operands) -> Result<Var, GoldenError> {
    Ok(match v.get("bias") {
        Some(&bias) => g.add(y, bias)?,
        None => y,
    })
}

fn pool(a: &Attrs, dilation: [usize; 2]) -> Result<PoolSpec, GoldenError> {
    Ok(PoolSpec {
        kernel: a.pair("kernel_size")?,
        stride: a.pair("stride")?,
        padding: a.pair("padding")?,
        dilation,
        ceil_mode: a.flag("ceil_mode")?,
    })
}

fn batch_norm(g: &mut Graph, case: &GoldenCase, v: &Operands) -> Result<Results, GoldenError> {
    let a = &case.attrs;
    let (x, eps) = (operand(case, v, "input")?, a.number("eps")?);
    let (scale, shift) = (v.get("weight").copied(), v.get("bias").copied());
    let statistics = v.get("running_mean").copied().zip(v.get("running_var").copied());
    if !a.flag("training")? {
        let (mean, variance) = statistics.ok_or_else(|| a.error("no statistics".into()))?;
        return Ok(g.normalise(x, mean, variance, scale, shift, eps)?.into());
    }
    let c = *g.shape(x).last().unwrap_or(&0);
    let scale = scale.map_or_else(|| g.full(&[c], 1.0, DType::F32), Ok)?;
    let shift = shift.map_or_else(|| g.full(&[c], 0.0, DType::F32), Ok)?;
    let n = g.shape(x).iter().product::<usize>() / c.max(1);
    let (y, moments) = g.batch_norm(x, scale, shift, eps)?;
    let mut results = Results::from(y);
    let Some((mean, variance)) = statistics else { return Ok(results) };
    let momentum = a.number("momentum")?;
    let unbiased = n as f64 / (n as f64 - 1.0);
    for (row, (role, old, factor)) in
        [("new_running_mean", mean, 1.0), ("new_running_var", variance, unbiased)].into_iter().enumerate()
    {
        let batch = g.narrow(moments, 0, row, row + 1)?;
        let batch = g.reshape(batch, &[c])?;
        let batch = g.map_scalars(Elementwise::Mul, batch, &[momentum * factor])?;
        let kept = g.map_scalars(Elementwise::Mul, old, &[1.0 - momentum])?;
        results.values.push((role, g.add(kept, batch)?));
    }
    Ok(results)
}

fn interpolate(g: &mut Graph, case: &GoldenCase, x: Var) -> Result<Results, GoldenError> {
    let a = &case.attrs;
    let out = if a.given("size") {
        a.pair("size")?
    } else {
        let scale = a.json()["scale_factor"].as_array().filter(|s| s.len() == 2);
        let scale = scale.ok_or_else(|| a.error("neither size nor scale".into()))?;
        let extent = |i: usize| scale[i].as_f64().map(|s| (g.shape(x)[1 + i] as f64 * s) as usize);
        let no_number = || a.error("the scale is no number".into());
        [extent(0).ok_or_else(no_number)?, extent(1).ok_or_else(no_number)?]
    };
    let mode = match a.text("mode")? {
        "nearest" => ResizeMode::Nearest,
        _ => ResizeMode::Bilinear { align_corners: a.flag("align_corners")? },
    };
    Ok(g.resize2d(x, out, mode)?.into())
}

fn cross_entropy(g: &mut Graph, case: &GoldenCase, v: &Operands) -> Result<Results, GoldenError> {
    let options = loss_options(&case.attrs, v, case.attrs.number("label_smoothing")?)?;
    Ok(g.cross_entropy(operand(case, v, "input")?, operand(case, v, "target")?, &options)?.into())
}

fn loss_options(a: &Attrs, v: &Operands, label_smoothing: f64) -> Result<CrossEntropyOptions, GoldenError> {
    let (class_weight, ignore_index) = (v.get("class_weight").copied(), i32_of(a, "ignore_index")?);
    Ok(CrossEntropyOptions { class_weight, label_smoothing, ignore_index, reduction: reduction(a)? })
}

fn reduction(a: &Attrs) -> Result<Reduction, GoldenError> {
    match a.text("reduction")? {
        "none" => Ok(Reduction::None),
        "sum" => Ok(Reduction::Sum),
        "mean" => Ok(Reduction::Mean),
        other => Err(a.error(format!("reduction {other}"))),
    }
}
