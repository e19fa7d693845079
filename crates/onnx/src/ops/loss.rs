//! Losses of classes.

use chiaro_graph::{DType, Graph, Var};

use crate::call::Call;
use crate::error::Result;
use crate::record::Recorder;
use crate::value::Value;

pub(crate) fn nll<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let x = r.image(call, 0)?;
    let y = loss(r, call, x)?;
    Ok(r.plain(y))
}

pub(crate) fn cross_entropy<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let x = r.image(call, 0)?;
    let last = r.graph().shape(x).len() - 1;
    let log = r.graph().softmax(x, last, true)?;
    let y = loss(r, call, log)?;
    let mut results = r.plain(y);
    results.extend(r.last(log));
    Ok(results)
}

/// -weight log p of the target, reduced. `log` has the classes last.
fn loss<'a>(r: &mut Recorder<'a>, call: &Call<'a>, log: Var) -> Result<Var> {
    let target = r.input(call, 1)?;
    let weights = if call.input(2).is_some() { Some(r.input(call, 2)?) } else { None };
    let g = r.graph();
    let target = g.cast(target, DType::I32)?;
    let shape = g.shape(target).to_vec();
    let last = shape.len();
    let ignored =
        if call.has("ignore_index") { Some(g.equal(target, call.int("ignore_index", 0) as f64)?) } else { None };
    let class = match ignored {
        Some(ignored) => g.where_(ignored, 0.0, target)?,
        None => target,
    };
    let index = g.reshape(class, &[&shape[..], &[1]].concat())?;
    let picked = g.gather(log, index, last)?;
    let picked = g.reshape(picked, &shape)?;
    let mut weight = match weights {
        Some(weights) => {
            let flat = g.reshape(class, &[shape.iter().product()])?;
            let each = g.index_select(weights, flat, 0)?;
            g.reshape(each, &shape)?
        }
        None => g.full(&shape, 1.0, DType::F32)?,
    };
    if let Some(ignored) = ignored {
        weight = g.where_(ignored, 0.0, weight)?;
    }
    let each = g.mul(picked, weight)?;
    let each = g.neg(each)?;
    reduced(g, each, weight, &call.text("reduction", "mean"))
}

fn reduced(g: &mut Graph, each: Var, weight: Var, reduction: &str) -> Result<Var> {
    if reduction == "none" {
        return Ok(each);
    }
    let sum = g.sum_all(each)?;
    if reduction == "sum" {
        return Ok(sum);
    }
    let all = g.sum_all(weight)?;
    Ok(g.div(sum, all)?)
}
