//! Casts to 16 bits and back.

use super::super::arg::V;
use super::super::call::Call;
use super::Gen;
use chiaro_graph::DType;

/// A cast to the other float type, there and back, or one that hides the value from gradients.
pub(super) fn cast(g: &mut Gen) -> Option<V> {
    let x = g.float()?;
    let other = if g.dtype(x) == DType::F32 { DType::F16 } else { DType::F32 };
    if !g.halves || g.rng.percent(20) {
        return g.call(Call::Detach { x });
    }
    if g.rng.percent(15) {
        return g.call(Call::Widened { x });
    }
    let y = g.call(Call::Cast { x, dtype: other })?;
    if g.rng.percent(30) {
        let dtype = g.dtype(x);
        return g.call(Call::Cast { x: y, dtype });
    }
    Some(y)
}
