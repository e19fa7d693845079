//! Random numbers, dropout, and images of packed pixels.

use super::super::arg::V;
use super::super::call::Call;
use super::super::recipe::LeafKind;
use super::Gen;
use crate::draw::Draw;
use chiaro_graph::{DType, RandomKind};

/// Random numbers or dropout, with a key that differs from run to run.
pub(super) fn random(g: &mut Gen) -> Option<V> {
    let key = match g.some(|g, v| g.dtype(v) == DType::U32 && g.shape(v) == [3]) {
        Some(key) => key,
        None => g.leaf(LeafKind::Input, &[3], DType::U32, Draw::Integers(0, 1 << 32))?,
    };
    if g.rng.percent(60) {
        let x = g.float()?;
        let p = g.rng.pick(&[0.0, 0.25, 0.5]);
        return g.call(Call::Dropout { x, p, key });
    }
    let (kind, rank) = (g.rng.pick(&[RandomKind::Uniform, RandomKind::Normal]), g.rng.within(0, 4));
    let shape = g.sizes.shape(&mut g.rng, rank);
    g.call(Call::Random { kind, shape, key })
}

/// Images of packed pixels.
pub(super) fn images(g: &mut Gen) -> Option<V> {
    let image = [g.rng.within(1, 6), g.rng.within(1, 6), g.rng.within(1, 4)];
    let (stored, n) = (g.rng.within(1, 4), g.rng.within(1, 4));
    let words = image.iter().product::<usize>().div_ceil(4);
    let pixels = g.leaf(LeafKind::Input, &[stored, words], DType::U32, Draw::Integers(0, 1 << 32))?;
    let index = g.leaf(LeafKind::Input, &[n], DType::I32, Draw::Integers(0, stored as i64))?;
    let moves = g.leaf(LeafKind::Input, &[n, 3], DType::I32, Draw::Integers(-2, 3))?;
    let affine = g.leaf(LeafKind::Input, &[2, image[2]], DType::F32, Draw::Uniform(-0.01, 0.01))?;
    g.call(Call::LoadImages { pixels, index, moves, affine, image })
}
