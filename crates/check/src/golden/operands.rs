//! What the operators of cases take and give, and the small graphs that several of them need.

use super::{Attrs, GoldenCase, GoldenError};
use chiaro_graph::{DType, Graph, Tensor, Var};
use std::collections::BTreeMap;

/// The operands of a case as values of its graph, by role.
pub(super) type Operands = BTreeMap<String, Var>;

/// What a case computes: results by role, and the number of products summed in an element of the output.
pub(super) struct Results {
    pub values: Vec<(&'static str, Var)>,
    pub inner: usize,
}

impl From<Var> for Results {
    fn from(output: Var) -> Results {
        Results { values: vec![("output", output)], inner: 1 }
    }
}

/// An operand that must be there.
pub(super) fn operand(case: &GoldenCase, v: &Operands, role: &str) -> Result<Var, GoldenError> {
    v.get(role).copied().ok_or_else(|| case.attrs.error(format!("no operand {role}")))
}

/// A constant whose number of elements fits its shape.
pub(super) fn constant(g: &mut Graph, shape: &[usize], dtype: DType, values: &[f64]) -> Result<Var, GoldenError> {
    let zeros = || Tensor::zeros(shape, dtype);
    Ok(g.constant(Tensor::from_f64(shape, dtype, values).unwrap_or_else(zeros))?)
}

/// Padding amounts from the last axis backwards; negative ones crop.
pub(super) fn pad(g: &mut Graph, x: Var, amounts: &[i64], mode: &str, value: f64) -> Result<Var, GoldenError> {
    let rank = g.shape(x).len();
    let (mut low, mut high) = (vec![0; rank], vec![0; rank]);
    let mut y = x;
    for (k, pair) in amounts.chunks(2).enumerate() {
        let axis = rank - 1 - k;
        let extent = g.shape(x)[axis] as i64;
        if mode == "constant" {
            y = g.narrow(y, axis, (-pair[0]).max(0) as usize, (extent + pair[1].min(0)) as usize)?;
            (low[axis], high[axis]) = (pair[0].max(0) as usize, pair[1].max(0) as usize);
            continue;
        }
        let source = |i: i64| match mode {
            "reflect" if i < 0 => -i,
            "reflect" if i >= extent => 2 * (extent - 1) - i,
            _ => i.clamp(0, extent - 1),
        };
        let index: Vec<f64> = (-pair[0]..extent + pair[1]).map(|i| source(i) as f64).collect();
        let rows = constant(g, &[index.len()], DType::I32, &index)?;
        y = g.index_select(y, rows, axis)?;
    }
    Ok(g.pad(y, &low, &high, value)?)
}

/// A whole number as an `i32` argument.
pub(super) fn i32_of(a: &Attrs, key: &str) -> Result<i32, GoldenError> {
    i32::try_from(a.integer(key)?).map_err(|e| a.error(format!("{key}: {e}")))
}
