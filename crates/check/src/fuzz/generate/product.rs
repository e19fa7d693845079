//! Products of matrices.

use super::super::arg::V;
use super::super::call::Call;
use super::super::recipe::LeafKind;
use super::Gen;
use crate::draw::Draw;
use chiaro_graph::DType;

impl Gen {
    /// A new weight whose products with `fan_in` numbers keep their size; sometimes computed, sometimes a state.
    pub fn weight(&mut self, shape: &[usize], dtype: DType, fan_in: usize) -> Option<V> {
        let reach = 1.5 / (fan_in.max(1) as f64).sqrt();
        let kind = match self.rng.below(10) {
            0 => LeafKind::Constant,
            1..4 if self.states_wanted && self.may_declare(dtype) => LeafKind::State,
            _ => LeafKind::Input,
        };
        // As in training in 16 bits, the weight may be kept in 32.
        let wide = dtype == DType::F16 && self.rng.percent(50);
        let kept = if wide { DType::F32 } else { dtype };
        let w = self.leaf(kind, shape, kept, Draw::Uniform(-reach, reach))?;
        let w = self.typed(w, dtype)?;
        if self.rng.percent(10) {
            return self.call(Call::Map { op: chiaro_graph::Elementwise::Tanh, operands: vec![w] });
        }
        Some(w)
    }

    /// A value of some rank, as it is or reshaped, or a new one.
    pub fn ranked(&mut self, rank: usize) -> Option<V> {
        let there = self.rng.percent(80).then(|| self.some(|g, v| g.dtype(v).is_float() && g.shape(v).len() == rank));
        match there.flatten() {
            Some(v) => Some(v),
            None => {
                let shape = self.sizes.shape(&mut self.rng, rank);
                self.new_float(&shape)
            }
        }
    }
}

/// The last two axes, either operand transposed, batches that broadcast.
pub(super) fn matmul(g: &mut Gen) -> Option<V> {
    let rank = g.rng.pick(&[2, 2, 2, 3, 4]);
    let a = g.ranked(rank)?;
    let shape = g.shape(a);
    let (ta, tb) = (g.rng.percent(40), g.rng.percent(40));
    let k = shape[rank - if ta { 2 } else { 1 }];
    let dtype = g.dtype(a);
    let fits = |g: &Gen, v: V| {
        let s = g.shape(v);
        g.dtype(v) == dtype && s.len() >= 2 && s[s.len() - if tb { 1 } else { 2 }] == k
    };
    let there = g.rng.percent(50).then(|| g.some(fits)).flatten();
    let b = match there {
        Some(b) => b,
        None => {
            let n = g.sizes.extent(&mut g.rng);
            let mut own: Vec<usize> = match g.rng.below(3) {
                0 => vec![],
                _ => shape[..rank - 2].to_vec(),
            };
            for batch in &mut own {
                *batch = if g.rng.percent(25) { 1 } else { *batch };
            }
            own.extend(if tb { [n, k] } else { [k, n] });
            g.weight(&own, dtype, k)?
        }
    };
    g.call(Call::MatMul { a, b, ta, tb })
}

/// A dense layer.
pub(super) fn linear(g: &mut Gen) -> Option<V> {
    let rank = g.rng.pick(&[1, 2, 2, 3, 4]);
    let x = g.ranked(rank)?;
    let (inner, out, dtype) = (g.shape(x)[rank - 1], g.sizes.extent(&mut g.rng), g.dtype(x));
    let weight = g.weight(&[out, inner], dtype, inner)?;
    let bias = if g.rng.percent(60) { Some(g.float_like(&[out], dtype)?) } else { None };
    g.call(Call::Linear { x, weight, bias })
}
