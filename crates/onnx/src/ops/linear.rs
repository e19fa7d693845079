//! Matrix products: dense layers, whose fixed matrices are stored `[out, in]`, and products of computed values.

use chiaro_graph::Var;

use crate::call::Call;
use crate::error::Result;
use crate::host::Host;
use crate::record::{Recorder, Step, stepped};
use crate::value::{Held, Order, Value};

use super::conv::add_bias;

/// What a dense layer takes, and what its matrix `[out, in]` must go through where its columns are pixels.
fn features<'a>(r: &mut Recorder<'a>, value: &Value, out: usize) -> Result<(Var, Vec<Step>)> {
    if let Value::Device(Held { var, order: Order::Pixels([h, w, c]) }) = *value {
        let steps = vec![
            Step::Reshape(vec![out, c, h, w]),
            Step::Permute(vec![0, 2, 3, 1]),
            Step::Reshape(vec![out, h * w * c]),
        ];
        return Ok((r.sink.operand(var)?, steps));
    }
    let var = r.var(value)?;
    Ok((r.sink.operand(var)?, vec![]))
}

pub(crate) fn gemm<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let (ta, tb) = (call.flag("transA", false), call.flag("transB", false));
    let (a, b) = (r.value(call, 0)?, r.value(call, 1)?);
    let weight = r.shape(&b);
    let &[rows, columns] = &weight[..] else { return r.fault(format!("the second operand is {weight:?}, no matrix")) };
    let out = if tb { rows } else { columns };
    let turn = |tb: bool| if tb { vec![] } else { vec![Step::Permute(vec![1, 0])] };
    let mut y = if ta {
        let (a, b) = (r.var(&a)?, r.weight(call, 1, &turn(tb))?);
        let a = r.sink.operand(a)?;
        r.graph().matmul(a, b, true, true)?
    } else {
        let (x, order) = features(r, &a, out)?;
        let w = r.weight(call, 1, &[turn(tb), order].concat())?;
        r.graph().matmul(x, w, false, true)?
    };
    let alpha = call.float("alpha", 1.0);
    if alpha != 1.0 {
        y = r.graph().mul(y, alpha)?;
    }
    let beta = call.float("beta", 1.0);
    if call.input(2).is_some() && beta != 0.0 {
        let c = r.value(call, 2)?;
        let c = r.shape(&c);
        let steps = if c == [1, out] && out > 1 { vec![Step::Reshape(vec![out])] } else { vec![] };
        let mut bias = r.parameter(call, 2, &steps)?;
        if beta != 1.0 {
            bias = r.graph().mul(bias, beta)?;
        }
        y = add_bias(r, y, bias)?;
    }
    Ok(r.plain(y))
}

/// A product with a fixed matrix `[in, out]`, which is no parameter.
pub(crate) fn fixed<'a>(r: &mut Recorder<'a>, x: &Value, matrix: Host) -> Result<Vec<Value>> {
    let &[_, out] = &matrix.shape[..] else {
        return r.fault(format!("the second operand is {:?}, no matrix", matrix.shape));
    };
    let (x, order) = features(r, x, out)?;
    let matrix = stepped(matrix, &[vec![Step::Permute(vec![1, 0])], order].concat())?.to_tensor()?;
    let w = r.constant(matrix)?;
    let y = r.graph().linear(x, w, None)?;
    Ok(r.plain(y))
}

pub(crate) fn matmul<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let (a, b) = (r.value(call, 0)?, r.value(call, 1)?);
    let (sa, sb) = (r.shape(&a), r.shape(&b));
    if let (Value::Host(_), &[_, out], true) = (&b, &sb[..], sa.len() >= 2) {
        let (x, order) = features(r, &a, out)?;
        let w = r.weight(call, 1, &[vec![Step::Permute(vec![1, 0])], order].concat())?;
        let y = r.graph().linear(x, w, None)?;
        return Ok(r.plain(y));
    }
    let (x, y) = (r.var(&a)?, r.weight(call, 1, &[])?);
    let x = r.sink.operand(x)?;
    let y = r.sink.operand(y)?;
    let x = if sa.len() == 1 { r.graph().reshape(x, &[1, sa[0]])? } else { x };
    let y = if sb.len() == 1 { r.graph().reshape(y, &[sb[0], 1])? } else { y };
    let product = r.graph().matmul(x, y, false, false)?;
    let mut shape = r.graph().shape(product).to_vec();
    if sb.len() == 1 {
        shape.pop();
    }
    if sa.len() == 1 {
        shape.remove(shape.len() - if sb.len() == 1 { 1 } else { 2 });
    }
    let product = r.graph().reshape(product, &shape)?;
    Ok(r.plain(product))
}
