//! Images made of packed pixels: whole and part words, every number of channels, moved in and out of the image by matrices of every
//! kind, mirrored, mirrored at the edges, seen in perspective, and with their colours mixed.

use crate::case::Case;
use crate::draw::{Draw, seed};
use chiaro_graph::{COLOUR_ONE, DType, Edge, Graph, PLACE_ONE, Result, Sampling, Var, random_words};

/// Images in a set and in a batch.
const COUNTS: [usize; 2] = [5, 7];

/// Values between pixels are whole numbers on every backend: only the normalisation rounds.
pub(super) fn cases() -> Vec<Case> {
    let mut all = vec![];
    for source in [[28, 28, 1], [5, 7, 3], [3, 3, 1], [4, 5, 2], [1, 1, 3], [32, 32, 3], [3, 4, 6]] {
        let [h, w, _] = source;
        let sampling = Sampling { source, size: [h, w], edge: Edge::Mean };
        all.push(case("whole", sampling, None, false));
        all.push(case("shifted", sampling, Some(shifts(w)), false));
        let other = Sampling { size: [h + 2, 2 * w - 1], edge: Edge::Reflect, ..sampling };
        all.push(case("reflected", other, Some(shifts(w)), false));
        all.push(case("turned", other, Some(matrices(false)), false));
        all.push(case("turned_out", sampling, Some(matrices(false)), false));
        all.push(case("perspective", sampling, Some(matrices(true)), false));
        if source[2] <= 4 {
            all.push(case("coloured", sampling, None, true));
            all.push(case("turned_coloured", other, Some(matrices(true)), true));
        }
    }
    // What follows runs inside the kernel where there are epilogues.
    let sampling = Sampling { source: [5, 6, 3], size: [5, 6], edge: Edge::Mean };
    let half = Case::new("sample_images/half", move |g, v| {
        let images = sample(g, v, true, false, sampling)?;
        g.cast(images, DType::F16)
    });
    all.push(operands(half, sampling, Some(shifts(6)), false).half());
    all
}

fn case(kind: &str, sampling: Sampling, place: Option<Draw>, coloured: bool) -> Case {
    let Sampling { source: [h, w, c], .. } = sampling;
    let placed = place.is_some();
    let case =
        Case::new(format!("sample_images/{h}x{w}x{c}_{kind}"), move |g, v| sample(g, v, placed, coloured, sampling));
    operands(case, sampling, place, coloured)
}

fn sample(g: &mut Graph, v: &[Var], placed: bool, coloured: bool, sampling: Sampling) -> Result<Var> {
    let place = placed.then(|| v[3]);
    let colour = coloured.then(|| v[3 + usize::from(placed)]);
    g.sample_images(v[0], v[1], v[2], place, colour, sampling)
}

fn operands(case: Case, sampling: Sampling, place: Option<Draw>, coloured: bool) -> Case {
    let ([stored, n], [h, w, c]) = (COUNTS, sampling.source);
    let words = (h * w * c).div_ceil(4);
    let seed = seed(&case.name);
    let word = |i: usize| f64::from(random_words([seed as u32, 0, 0], 0, i as u32)[0]);
    let pixels = Draw::Values((0..stored * words).map(word).collect());
    let normalization = (0..2 * c).map(|i| if i < c { 80.0 + i as f64 / 65536.0 } else { 0.01 * (1 + i) as f64 });
    let mut case = case
        .fixed("pixels", &[stored, words], DType::U32, pixels)
        .fixed("chosen", &[n], DType::I32, Draw::Integers(0, stored as i64))
        .fixed("normalization", &[2, c], DType::F32, Draw::Values(normalization.collect()));
    if let Some(place) = place {
        case = case.fixed("place", &[n, 3, 3], DType::I32, place);
    }
    if coloured {
        let one = i64::from(COLOUR_ONE);
        case = case.fixed("colour", &[n, c, c + 1], DType::I32, Draw::Integers(-one / 2, one * 3 / 2));
    }
    case
}

/// Shifts by whole pixels, some of them beyond the image, every second image mirrored.
fn shifts(width: usize) -> Draw {
    let (one, w) = (f64::from(PLACE_ONE), width as f64);
    let of = |i: usize| {
        let (by, mirrored) = ((i as f64 - 2.0) * (w / 4.0).ceil(), i % 2 == 1);
        let (across, from) = if mirrored { (-one, (w - 1.0) * one) } else { (one, 0.0) };
        [one, 0.0, -by * one, 0.0, across, from + by * one, 0.0, 0.0, one]
    };
    Draw::Values((0..COUNTS[1]).flat_map(of).collect())
}

/// Turns, stretches and shears around the first pixel; in perspective the plane is tilted too, and in places lies behind the viewer.
fn matrices(perspective: bool) -> Draw {
    let one = f64::from(PLACE_ONE);
    let of = |i: usize| {
        let (turn, size) = (0.4 * i as f64 - 1.0, 0.6 + 0.2 * i as f64);
        let (sin, cos) = turn.sin_cos();
        let tilt = if perspective { [0.03 * i as f64, -0.08 * i as f64, 1.0] } else { [0.0, 0.0, 1.0] };
        let rows = [[size * cos, -sin, 0.37 * i as f64], [sin, size * cos + 0.1, -0.21 * i as f64], tilt];
        rows.into_iter().flatten().map(move |m| (m * one).round())
    };
    Draw::Values((0..COUNTS[1]).flat_map(of).collect())
}
