//! Norms and softmax.

use super::super::arg::V;
use super::super::call::Call;
use super::super::recipe::LeafKind;
use super::Gen;
use crate::draw::Draw;
use chiaro_graph::DType;

impl Gen {
    /// A new value of a type that stays away from zero, for scales.
    pub fn scale(&mut self, shape: &[usize], dtype: DType) -> Option<V> {
        let state = self.states_wanted && self.may_declare(dtype) && self.rng.percent(30);
        let kind = if state { LeafKind::State } else { LeafKind::Input };
        self.leaf(kind, shape, dtype, Draw::Uniform(0.5, 1.5))
    }

    fn perhaps_scale(&mut self, shape: &[usize], dtype: DType) -> Option<V> {
        if self.rng.percent(60) { self.scale(shape, dtype) } else { None }
    }
}

/// Batch, layer, group norm, or normalisation by given statistics.
pub(super) fn norm(g: &mut Gen) -> Option<V> {
    let rank = g.rng.pick(&[2, 3, 4, 4, 4]);
    let x = g.ranked(rank)?;
    let (shape, eps) = (g.shape(x), g.rng.pick(&[1e-5, 1e-3, 0.1]));
    let (c, dtype) = (shape[rank - 1], g.dtype(x));
    match g.rng.below(5) {
        0 => {
            let axes = g.rng.within(1, rank - 1);
            let along = &shape[rank - axes..];
            let (scale, shift) = (g.perhaps_scale(along, dtype), g.perhaps_scale(along, dtype));
            g.call(Call::LayerNorm { x, axes, scale, shift, eps })
        }
        1 => {
            let all: Vec<usize> = (1..=c).filter(|f| c.is_multiple_of(*f)).collect();
            let groups = g.rng.pick(&all);
            let (scale, shift) = (g.perhaps_scale(&[c], dtype), g.perhaps_scale(&[c], dtype));
            g.call(Call::GroupNorm { x, groups, scale, shift, eps })
        }
        2 => {
            let mean = g.float_like(&[c], DType::F32)?;
            let variance = g.leaf(LeafKind::Input, &[c], DType::F32, Draw::Uniform(0.5, 2.0))?;
            let (scale, shift) = (g.perhaps_scale(&[c], DType::F32), g.perhaps_scale(&[c], DType::F32));
            g.call(Call::Normalise { x, mean, variance, scale, shift, eps })
        }
        _ => batch_norm(g, x, eps),
    }
}

/// Batch norm in training.
pub(super) fn batch_norm(g: &mut Gen, x: V, eps: f64) -> Option<V> {
    let c = *g.shape(x).last()?;
    let (scale, shift) = (g.scale(&[c], DType::F32)?, g.scale(&[c], DType::F32)?);
    g.call(Call::BatchNorm { x, scale, shift, eps })
}

/// Softmax or its logarithm along an axis, mostly the last.
pub(super) fn softmax(g: &mut Gen) -> Option<V> {
    let x = g.float()?;
    let rank = g.shape(x).len();
    if rank == 0 {
        return None;
    }
    let axis = if g.rng.percent(60) { rank - 1 } else { g.rng.below(rank) };
    let log = g.rng.percent(50);
    g.call(Call::Softmax { x, axis, log })
}
