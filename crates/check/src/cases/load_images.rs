//! Images made of packed pixels: whole and part words, every number of channels, moved in and out of the image, mirrored.

use crate::case::Case;
use crate::draw::{Draw, seed};
use chiaro_graph::{DType, random_words};

/// Images in a set and in a batch.
const COUNTS: [usize; 2] = [5, 7];

pub(super) fn cases() -> Vec<Case> {
    let mut all = vec![];
    for shape in [[28, 28, 1], [5, 7, 3], [3, 3, 1], [4, 5, 2], [1, 1, 3], [32, 32, 3]] {
        let [h, w, c] = shape;
        let name = |kind: &str| format!("load_images/{h}x{w}x{c}_{kind}");
        let still = Case::new(name("whole"), move |g, v| g.load_images(v[0], v[1], v[2], v[3], shape));
        all.push(operands(still, shape, Draw::Integers(0, 1)));
        let moved = Case::new(name("moved"), move |g, v| g.load_images(v[0], v[1], v[2], v[3], shape));
        // Beyond the image in places, and odd numbers mirror as 1 does.
        all.push(operands(moved, shape, Draw::Integers(-(w as i64) / 2 - 1, w as i64 / 2 + 2)));
    }
    // What follows runs inside the kernel where there are epilogues.
    let shape = [5, 6, 3];
    let half = Case::new("load_images/half", move |g, v| {
        let images = g.load_images(v[0], v[1], v[2], v[3], shape)?;
        g.cast(images, DType::F16)
    });
    all.push(operands(half, shape, Draw::Integers(-2, 3)).half());
    all
}

fn operands(case: Case, [h, w, c]: [usize; 3], moves: Draw) -> Case {
    let [stored, n] = COUNTS;
    let words = (h * w * c).div_ceil(4);
    let seed = seed(&case.name);
    let word = |i: usize| f64::from(random_words([seed as u32, 0, 0], 0, i as u32)[0]);
    let pixels = Draw::Values((0..stored * words).map(word).collect());
    case.fixed("pixels", &[stored, words], DType::U32, pixels)
        .fixed("index", &[n], DType::I32, Draw::Integers(0, stored as i64))
        .fixed("moves", &[n, 3], DType::I32, moves)
        .fixed("affine", &[2, c], DType::F32, Draw::Normal)
}
