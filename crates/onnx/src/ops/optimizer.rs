//! The optimizers of `ai.onnx.preview.training`: one step, for any number of tensors.

use chiaro_graph::{Graph, Var};

use crate::call::Call;
use crate::error::Result;
use crate::record::Recorder;
use crate::value::Value;

/// Rate, step number, and the tensors: parameters, gradients, then the optimizer's own.
fn inputs<'a>(r: &mut Recorder<'a>, call: &Call<'a>, slots: usize) -> Result<(Var, Value, Vec<Vec<Var>>)> {
    let rate = r.input(call, 0)?;
    let rate = r.graph().reshape(rate, &[])?;
    let step = r.value(call, 1)?;
    let n = (call.inputs() - 2) / slots;
    let mut all = vec![];
    for slot in 0..slots {
        all.push((0..n).map(|i| r.input(call, 2 + slot * n + i)).collect::<Result<Vec<_>>>()?);
    }
    Ok((rate, step, all))
}

/// Results in the order of ONNX: all parameters, then all of each slot.
fn results(r: &mut Recorder<'_>, slots: Vec<Vec<Var>>) -> Vec<Value> {
    slots.into_iter().flatten().flat_map(|v| r.plain(v)).collect()
}

/// The gradient with the decay of the weights.
fn decayed(g: &mut Graph, call: &Call<'_>, x: Var, d: Var, usual: f64) -> Result<Var> {
    let decay = g.mul(x, call.float("norm_coefficient", usual))?;
    Ok(g.add(decay, d)?)
}

/// The step's number as a float.
fn number(r: &mut Recorder<'_>, step: &Value) -> Result<Var> {
    let step = r.var(step)?;
    let g = r.graph();
    let step = g.reshape(step, &[])?;
    Ok(g.cast(step, chiaro_graph::DType::F32)?)
}

pub(crate) fn momentum<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let (rate, step, tensors) = inputs(r, call, 3)?;
    let step = number(r, &step)?;
    let (alpha, beta) = (call.float("alpha", 0.0), call.float("beta", 0.0));
    let nesterov = call.text("mode", "standard") == "nesterov";
    let g = r.graph();
    let (mut new, mut slots) = (vec![], vec![]);
    for ((&x, &d), &v) in tensors[0].iter().zip(&tensors[1]).zip(&tensors[2]) {
        let d = decayed(g, call, x, d, 0.0)?;
        // The first step takes the whole gradient.
        let later = g.greater(step, 0.0)?;
        let full = g.full(&[], 1.0, chiaro_graph::DType::F32)?;
        let share = g.where_(later, beta, full)?;
        let (old, part) = (g.mul(v, alpha)?, g.mul(d, share)?);
        let v = g.add(old, part)?;
        let way = if nesterov {
            let ahead = g.mul(v, alpha)?;
            g.add(d, ahead)?
        } else {
            v
        };
        let change = g.mul(way, rate)?;
        new.push(g.sub(x, change)?);
        slots.push(v);
    }
    Ok(results(r, vec![new, slots]))
}

pub(crate) fn adagrad<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let (rate, step, tensors) = inputs(r, call, 3)?;
    let step = number(r, &step)?;
    let g = r.graph();
    let slower = g.mul(step, call.float("decay_factor", 0.0))?;
    let slower = g.add(slower, 1.0)?;
    let rate = g.div(rate, slower)?;
    let (mut new, mut slots) = (vec![], vec![]);
    for ((&x, &d), &h) in tensors[0].iter().zip(&tensors[1]).zip(&tensors[2]) {
        let d = decayed(g, call, x, d, 0.0)?;
        let square = g.square(d)?;
        let h = g.add(h, square)?;
        let below = g.sqrt(h)?;
        let below = g.add(below, call.float("epsilon", 1e-6))?;
        let change = g.mul(d, rate)?;
        let change = g.div(change, below)?;
        new.push(g.sub(x, change)?);
        slots.push(h);
    }
    Ok(results(r, vec![new, slots]))
}

pub(crate) fn adam<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let (rate, step, tensors) = inputs(r, call, 4)?;
    let step = number(r, &step)?;
    let (alpha, beta) = (call.float("alpha", 0.9), call.float("beta", 0.999));
    let g = r.graph();
    let rate = corrected(g, rate, step, alpha, beta)?;
    let (mut new, mut first, mut second) = (vec![], vec![], vec![]);
    for (((&x, &d), &v), &h) in tensors[0].iter().zip(&tensors[1]).zip(&tensors[2]).zip(&tensors[3]) {
        let d = decayed(g, call, x, d, 0.0)?;
        let (old, part) = (g.mul(v, alpha)?, g.mul(d, 1.0 - alpha)?);
        let v = g.add(old, part)?;
        let square = g.square(d)?;
        let (old, part) = (g.mul(h, beta)?, g.mul(square, 1.0 - beta)?);
        let h = g.add(old, part)?;
        let below = g.sqrt(h)?;
        let below = g.add(below, call.float("epsilon", 1e-6))?;
        let change = g.mul(v, rate)?;
        let change = g.div(change, below)?;
        let moved = g.sub(x, change)?;
        new.push(g.mul(moved, 1.0 - call.float("norm_coefficient_post", 0.0))?);
        first.push(v);
        second.push(h);
    }
    Ok(results(r, vec![new, first, second]))
}

/// The rate with both corrections of the bias, for steps after the first.
fn corrected(g: &mut Graph, rate: Var, step: Var, alpha: f64, beta: f64) -> Result<Var> {
    let mut power = |base: f64| -> Result<Var> {
        let base = g.scalar(base, chiaro_graph::DType::F32)?;
        let p = g.pow(base, step)?;
        let negative = g.neg(p)?;
        Ok(g.add(negative, 1.0)?)
    };
    let (first, second) = (power(alpha)?, power(beta)?);
    let root = g.sqrt(second)?;
    let factor = g.div(root, first)?;
    let scaled = g.mul(rate, factor)?;
    let later = g.greater(step, 0.0)?;
    Ok(g.where_(later, scaled, rate)?)
}
