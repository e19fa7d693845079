//! PyTorch's operators as graph ops: elementwise, reductions, movement, indexing, matrix products.

use super::operands::{Operands, Results, operand, pad};
use super::{GoldenCase, GoldenError, nets};
use chiaro_graph::{DType, Elementwise, Graph, ReduceKind, Var};

/// Adds the ops of a case.
pub(super) fn build(g: &mut Graph, case: &GoldenCase, v: &Operands) -> Result<Results, GoldenError> {
    if let Some(op) = elementwise(&case.op) {
        let (x, y) = (operand(case, v, "input")?, v.get("other"));
        let operands: Vec<Var> = [x].into_iter().chain(y.copied()).collect();
        return Ok(g.map(op, &operands)?.into());
    }
    if let Some(result) = nets::build(g, case, v)? {
        return Ok(result);
    }
    let a = &case.attrs;
    let input = || operand(case, v, "input");
    Ok(match case.op.as_str() {
        "matmul" => {
            let (x, y) = (input()?, operand(case, v, "other")?);
            let (ta, tb) = (a.flag("transpose_input")?, a.flag("transpose_other")?);
            let shape = g.shape(x);
            let inner = shape[shape.len() - if ta { 2 } else { 1 }];
            Results { inner, ..g.matmul(x, y, ta, tb)?.into() }
        }
        "linear" => {
            let (x, w) = (input()?, operand(case, v, "weight")?);
            Results { inner: g.shape(w)[1], ..g.linear(x, w, v.get("bias").copied())?.into() }
        }
        "leaky_relu" => g.map_scalars(Elementwise::LeakyRelu, input()?, &[a.number("negative_slope")?])?.into(),
        "elu" => g.map_scalars(Elementwise::Elu, input()?, &[a.number("alpha")?])?.into(),
        "gelu" if a.text("approximate")? == "tanh" => g.unary(Elementwise::GeluTanh, input()?)?.into(),
        "gelu" => g.unary(Elementwise::Gelu, input()?)?.into(),
        "softplus" => {
            g.map_scalars(Elementwise::Softplus, input()?, &[a.number("beta")?, a.number("threshold")?])?.into()
        }
        "pow" => g.powf(input()?, a.number("exponent")?)?.into(),
        "clamp" => {
            let bound = |key| if a.given(key) { a.number(key).map(Some) } else { Ok(None) };
            g.clamp(input()?, bound("min")?, bound("max")?)?.into()
        }
        "where" => {
            let condition = operand(case, v, "condition")?;
            let condition = g.cast(condition, DType::Bool)?;
            g.where_(condition, input()?, operand(case, v, "other")?)?.into()
        }
        "softmax" | "log_softmax" => g.softmax(input()?, a.integer("dim")?, case.op == "log_softmax")?.into(),
        _ => match movement(g, case, v)? {
            Some(y) => y.into(),
            None => reduction(g, case, input()?)?,
        },
    })
}

/// Ops that move or select elements, if the case is one of them.
fn movement(g: &mut Graph, case: &GoldenCase, v: &Operands) -> Result<Option<Var>, GoldenError> {
    let a = &case.attrs;
    let input = || operand(case, v, "input");
    Ok(Some(match case.op.as_str() {
        "cat" => {
            let parts: Vec<Var> = v.iter().filter(|(role, _)| role.starts_with("input")).map(|(_, v)| *v).collect();
            g.concat(&parts, a.integer("dim")?)?
        }
        "permute_reshape" => {
            let moved = g.transpose(input()?, &a.integers("dims")?)?;
            g.reshape(moved, &a.sizes("shape")?)?
        }
        "transpose" => {
            let x = input()?;
            let rank = g.shape(x).len();
            let mut perm: Vec<usize> = (0..rank).collect();
            perm.swap(a.axis("dim0", rank)?, a.axis("dim1", rank)?);
            g.transpose(x, &perm)?
        }
        "pad" => {
            let value = if a.text("mode")? == "constant" { a.number("value")? } else { 0.0 };
            pad(g, input()?, &a.integers("pad")?, a.text("mode")?, value)?
        }
        "gather" => {
            let x = input()?;
            let axis = a.axis("dim", g.shape(x).len())?;
            gather(g, x, operand(case, v, "index")?, axis)?
        }
        "index_select" => g.index_select(input()?, operand(case, v, "index")?, a.integer("dim")?)?,
        "embedding" => {
            let padding = if a.given("padding_idx") { Some(a.integer("padding_idx")? as usize) } else { None };
            g.embedding(operand(case, v, "weight")?, operand(case, v, "index")?, padding)?
        }
        _ => return Ok(None),
    }))
}

/// Ops that are one row of the elementwise table.
fn elementwise(op: &str) -> Option<Elementwise> {
    Some(match op {
        "add" => Elementwise::Add,
        "sub" => Elementwise::Sub,
        "mul" => Elementwise::Mul,
        "div" => Elementwise::Div,
        "maximum" => Elementwise::Maximum,
        "minimum" => Elementwise::Minimum,
        "pow_tensor" => Elementwise::Pow,
        "sqrt" => Elementwise::Sqrt,
        "rsqrt" => Elementwise::Rsqrt,
        "exp" => Elementwise::Exp,
        "log" => Elementwise::Log,
        "abs" => Elementwise::Abs,
        "neg" => Elementwise::Neg,
        "reciprocal" => Elementwise::Reciprocal,
        "relu" => Elementwise::Relu,
        "relu6" => Elementwise::Relu6,
        "selu" => Elementwise::Selu,
        "silu" => Elementwise::Silu,
        "mish" => Elementwise::Mish,
        "sigmoid" => Elementwise::Sigmoid,
        "tanh" => Elementwise::Tanh,
        "hardswish" => Elementwise::Hardswish,
        "hardsigmoid" => Elementwise::Hardsigmoid,
        _ => return None,
    })
}

fn reduction(g: &mut Graph, case: &GoldenCase, x: Var) -> Result<Results, GoldenError> {
    let a = &case.attrs;
    let rank = g.shape(x).len();
    let keepdim = a.flag("keepdim")?;
    let kind = if case.op.ends_with("max") { ReduceKind::Max } else { ReduceKind::Min };
    let axes = || if a.given("dim") { a.integers("dim") } else { Ok((0..rank as i64).collect()) };
    Ok(match case.op.as_str() {
        "sum" => g.sum(x, &axes()?, keepdim)?.into(),
        "mean" => g.mean(x, &axes()?, keepdim)?.into(),
        "var" => g.var(x, &axes()?, keepdim, a.number("correction")?)?.into(),
        "amax" | "amin" => g.reduce(kind, x, &axes()?, keepdim)?.into(),
        "max" | "min" => {
            let axis = a.integer("dim")?;
            let value = g.select_extreme(kind, x, axis, keepdim)?;
            let index = g.arg_reduce(kind, x, axis, keepdim)?;
            Results { values: vec![("output", value), ("indices", index)], inner: 1 }
        }
        "argmax" | "argmin" if a.given("dim") => g.arg_reduce(kind, x, a.integer("dim")?, keepdim)?.into(),
        "argmax" | "argmin" => {
            let count = g.shape(x).iter().product();
            let flat = g.reshape(x, &[count])?;
            g.arg_reduce(kind, flat, 0, false)?.into()
        }
        other => return Err(a.error(format!("unknown operator {other}"))),
    })
}

/// PyTorch's gather lets the other axes of the index be shorter than the operand's, which is then cut.
fn gather(g: &mut Graph, x: Var, index: Var, axis: usize) -> Result<Var, GoldenError> {
    let (mut len, extent) = (g.shape(index).to_vec(), g.shape(x)[axis]);
    len[axis] = extent;
    let rank = len.len();
    let cut = g.slice(x, &vec![0; rank], &len, &vec![1; rank])?;
    Ok(g.gather(cut, index, axis)?)
}
