//! Selection by index.

use super::super::arg::V;
use super::super::call::Call;
use super::super::recipe::LeafKind;
use super::Gen;
use crate::draw::Draw;
use chiaro_graph::DType;

/// Elements, slices or rows by indices that repeat.
pub(super) fn selection(g: &mut Gen) -> Option<V> {
    let x = g.float()?;
    let shape = g.shape(x);
    if shape.is_empty() {
        return None;
    }
    let axis = g.rng.below(shape.len());
    let (n, m) = (shape[axis], g.sizes.extent(&mut g.rng));
    let indices = Draw::Integers(0, n as i64);
    match g.rng.below(3) {
        0 => {
            let mut own = shape.clone();
            own[axis] = m;
            let index = g.leaf(LeafKind::Input, &own, DType::I32, indices)?;
            g.call(Call::Gather { x, index, axis })
        }
        1 => {
            let index = g.leaf(LeafKind::Input, &[m], DType::I32, indices)?;
            g.call(Call::IndexSelect { x, index, axis })
        }
        _ => {
            let weight = g.ranked(2)?;
            let rank = g.rng.within(1, 2);
            let own = g.sizes.shape(&mut g.rng, rank);
            let rows = g.shape(weight)[0];
            let index = g.leaf(LeafKind::Input, &own, DType::I32, Draw::Integers(0, rows as i64))?;
            let padding_index = if g.rng.percent(30) { Some(g.rng.below(rows)) } else { None };
            g.call(Call::Embedding { weight, index, padding_index })
        }
    }
}

/// Classes as rows of zeros with a one.
pub(super) fn one_hot(g: &mut Gen) -> Option<V> {
    let rank = g.rng.within(0, 2);
    let shape = g.sizes.shape(&mut g.rng, rank);
    let classes = g.sizes.extent(&mut g.rng);
    let index = g.leaf(LeafKind::Input, &shape, DType::I32, Draw::Integers(0, classes as i64))?;
    let dtype = if g.rng.percent(80) { DType::F32 } else { DType::I32 };
    g.call(Call::OneHot { index, classes, dtype })
}
