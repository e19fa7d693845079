//! Elementwise ops and casts, one element at a time through the table's 64-bit closures.

use super::value::{Value, wrap};
use chiaro_graph::{DType, Elementwise};

/// Applies an op of the table.
pub(super) fn map(op: Elementwise, operands: &[Value<'_>]) -> Vec<f64> {
    let dtype = operands[0].dtype;
    (0..operands[0].data.len())
        .map(|i| {
            let mut at = [0.0; 3];
            operands.iter().zip(&mut at).for_each(|(v, slot)| *slot = v.data[i]);
            integer(op, dtype, at).unwrap_or_else(|| op.eval_f64(at))
        })
        .collect()
}

/// Sums and products of 32-bit integers wrap around.
fn integer(op: Elementwise, dtype: DType, [x, y, _]: [f64; 3]) -> Option<f64> {
    let (x, y) = (x as i64, y as i64);
    let exact = [
        (Elementwise::Add, x.wrapping_add(y)),
        (Elementwise::Sub, x.wrapping_sub(y)),
        (Elementwise::Mul, x.wrapping_mul(y)),
    ];
    exact.into_iter().find(|(of, _)| *of == op).and_then(|(_, value)| wrap(value, dtype))
}

/// Converts elements: float to integer truncates (and saturates), integer to integer keeps the bits, anything to bool tests
/// for non-zero. Floats of every width stay 64-bit here.
pub(super) fn cast(x: Value<'_>, to: DType) -> Vec<f64> {
    let convert = |v: f64| match to {
        DType::F32 => v,
        DType::F16 => half::f16::from_f64(v).to_f64(),
        DType::Bool => f64::from(u8::from(v != 0.0)),
        DType::I32 if x.dtype.is_float() => f64::from(v as i32),
        DType::U32 if x.dtype.is_float() => f64::from(v as u32),
        DType::I32 | DType::U32 => wrap(v as i64, to).unwrap_or(v),
    };
    x.data.iter().map(|&v| convert(v)).collect()
}
