//! Random numbers, dropout, and images of packed pixels.

use super::super::arg::{SampledBy, V};
use super::super::call::Call;
use super::super::recipe::LeafKind;
use super::Gen;
use crate::draw::Draw;
use chiaro_graph::{CHANGES, COLOUR_ONE, DType, Edge, PLACE_ONE, RandomKind, Sampling};

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

/// Images of packed pixels, moved by matrices near that of no change, or far from it.
pub(super) fn images(g: &mut Gen) -> Option<V> {
    let source = [g.rng.within(1, 6), g.rng.within(1, 6), g.rng.within(1, 4)];
    let size = [g.rng.within(1, 6), g.rng.within(1, 6)];
    let sampling = Sampling { source, size, edge: g.rng.pick(&[Edge::Mean, Edge::Reflect]) };
    let (stored, n, c) = (g.rng.within(1, 4), g.rng.within(1, 4), source[2]);
    let words = source.iter().product::<usize>().div_ceil(4);
    let pixels = g.leaf(LeafKind::Input, &[stored, words], DType::U32, Draw::Integers(0, 1 << 32))?;
    let chosen = g.leaf(LeafKind::Input, &[n], DType::I32, Draw::Integers(0, stored as i64))?;
    let normalization = g.leaf(LeafKind::Input, &[2, c], DType::F32, Draw::Uniform(0.0, 0.01))?;
    let mut matrices = |shape: &[usize], one: i32| {
        let reach = i64::from(one) * 2;
        g.leaf(LeafKind::Input, shape, DType::I32, Draw::Integers(-reach, reach))
    };
    let place = Some(matrices(&[n, 3, 3], PLACE_ONE)?);
    let colour = Some(matrices(&[n, c, c + 1], COLOUR_ONE)?);
    // Distances, amounts, sides of rectangles, numbers of images and shares are all small, or none.
    let small = g.rng.pick(&[3, 300]);
    let changes = Some(g.leaf(LeafKind::Input, &[n, CHANGES], DType::I32, Draw::Integers(-small, small))?);
    let tone = g.leaf(LeafKind::Input, &[n, 2], DType::I32, Draw::Integers(0, 5))?;
    let tones = Some(g.call(Call::ToneTables { pixels, chosen, tone, source })?);
    let by = SampledBy {
        place: place.filter(|_| g.rng.percent(70)),
        colour: colour.filter(|_| g.rng.percent(50)),
        changes: changes.filter(|_| g.rng.percent(50)),
        tones: tones.filter(|_| g.rng.percent(50)),
    };
    g.call(Call::SampleImages { pixels, chosen, normalization, by, sampling })
}
