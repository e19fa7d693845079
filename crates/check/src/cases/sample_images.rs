//! Images made of packed pixels: whole and part words, every number of channels, moved in and out of the image by matrices of every
//! kind, mirrored, mirrored at the edges, seen in perspective, and with their colours mixed.

use crate::case::Case;
use crate::draw::{Draw, seed};
use chiaro_graph::{
    CHANGES, COLOUR_ONE, DType, Edge, Graph, PLACE_ONE, Result, SampleBy, Sampling, Tone, Var, random_words,
};

/// Images in a set and in a batch.
const COUNTS: [usize; 2] = [5, 7];

/// What a case gives beside place and normalisation.
#[derive(Clone, Copy, Default)]
struct More {
    colour: bool,
    changes: bool,
    tones: bool,
}

/// Values between pixels are whole numbers on every backend: only the normalisation rounds.
pub(super) fn cases() -> Vec<Case> {
    let mut all = vec![];
    let none = More::default();
    for source in [[28, 28, 1], [5, 7, 3], [3, 3, 1], [4, 5, 2], [1, 1, 3], [32, 32, 3], [3, 4, 6]] {
        let [h, w, _] = source;
        let sampling = Sampling { source, size: [h, w], edge: Edge::Mean };
        all.push(case("whole", sampling, None, none));
        all.push(case("shifted", sampling, Some(shifts(w)), none));
        let other = Sampling { size: [h + 2, 2 * w - 1], edge: Edge::Reflect, ..sampling };
        all.push(case("reflected", other, Some(shifts(w)), none));
        all.push(case("turned", other, Some(matrices(false)), none));
        all.push(case("turned_out", sampling, Some(matrices(false)), none));
        all.push(case("perspective", sampling, Some(matrices(true)), none));
        if source[2] <= 4 {
            all.push(case("coloured", sampling, None, More { colour: true, ..none }));
            all.push(case("turned_coloured", other, Some(matrices(true)), More { colour: true, ..none }));
            all.push(case("changed", sampling, Some(shifts(w)), More { changes: true, ..none }));
            all.push(case("toned", sampling, Some(shifts(w)), More { tones: true, ..none }));
            all.push(case(
                "turned_all",
                other,
                Some(matrices(true)),
                More { colour: true, changes: true, tones: true },
            ));
        }
    }
    // What follows runs inside the kernel where there are epilogues.
    let sampling = Sampling { source: [5, 6, 3], size: [5, 6], edge: Edge::Mean };
    let half = Case::new("sample_images/half", move |g, v| {
        let images = sample(g, v, true, none, sampling)?;
        g.cast(images, DType::F16)
    });
    all.push(operands(half, sampling, Some(shifts(6)), none).half());
    all
}

fn case(kind: &str, sampling: Sampling, place: Option<Draw>, more: More) -> Case {
    let Sampling { source: [h, w, c], .. } = sampling;
    let placed = place.is_some();
    let case = Case::new(format!("sample_images/{h}x{w}x{c}_{kind}"), move |g, v| sample(g, v, placed, more, sampling));
    operands(case, sampling, place, more)
}

fn sample(g: &mut Graph, v: &[Var], placed: bool, more: More, sampling: Sampling) -> Result<Var> {
    let mut rest = v[3..].iter().copied();
    let mut next = |there: bool| if there { rest.next() } else { None };
    let (place, colour, changes, tone) = (next(placed), next(more.colour), next(more.changes), next(more.tones));
    let tones = tone.map(|tone| g.tone_tables(v[0], v[1], tone, sampling.source)).transpose()?;
    g.sample_images(v[0], v[1], v[2], SampleBy { place, colour, changes, tones }, sampling)
}

fn operands(case: Case, sampling: Sampling, place: Option<Draw>, more: More) -> Case {
    let ([stored, n], [h, w, c]) = (COUNTS, sampling.source);
    let words = (h * w * c).div_ceil(4);
    let seed = seed(&case.name);
    // Bytes from 0 to 127, so that what stretches them has something to do.
    let word = |i: usize| f64::from(random_words([seed as u32, 0, 0], 0, i as u32)[0] & 0x7f7f_7f7f);
    let pixels = Draw::Values((0..stored * words).map(word).collect());
    let normalization = (0..2 * c).map(|i| if i < c { 80.0 + i as f64 / 65536.0 } else { 0.01 * (1 + i) as f64 });
    let mut case = case
        .fixed("pixels", &[stored, words], DType::U32, pixels)
        .fixed("chosen", &[n], DType::I32, Draw::Integers(0, stored as i64))
        .fixed("normalization", &[2, c], DType::F32, Draw::Values(normalization.collect()));
    if let Some(place) = place {
        case = case.fixed("place", &[n, 3, 3], DType::I32, place);
    }
    if more.colour {
        let one = i64::from(COLOUR_ONE);
        case = case.fixed("colour", &[n, c, c + 1], DType::I32, Draw::Integers(-one / 2, one * 3 / 2));
    }
    if more.changes {
        case = case.fixed("changes", &[n, CHANGES], DType::I32, changes(sampling.size));
    }
    if more.tones {
        let tones = [Tone::Equalize, Tone::Posterize(3), Tone::AutoContrast, Tone::Solarize(60), Tone::Same];
        let numbers = (0..n).flat_map(|i| tones[i % tones.len()].numbers()).map(f64::from);
        case = case.fixed("tone", &[n, 2], DType::I32, Draw::Values(numbers.collect()));
    }
    case
}

/// Every image changed in another way, the first in none.
fn changes([height, width]: [usize; 2]) -> Draw {
    let (h, w) = (height as i32, width as i32);
    let rectangle = [h / 4, h / 4 + h / 2, w / 3, w];
    let row = |blur: [i32; 2], erased: [i32; 4], seed: i32, [other, outside, inside]: [i32; 3], mixed: [i32; 4]| {
        [&blur[..], &erased, &[seed, other, outside, inside], &mixed].concat()
    };
    let none = [0; 4];
    let all = [
        row([0, 0], none, 0, [0; 3], none),
        row([256, 256], none, 0, [0; 3], none),
        row([300, -400], rectangle, 0, [0; 3], none),
        row([0, 0], rectangle, -77, [0; 3], none),
        row([0, 0], none, 0, [3, 100, 0], none),
        row([0, 0], none, 0, [2, 0, 256], rectangle),
        row([100, 90], rectangle, 12345, [1, 30, 200], [0, h, 0, w / 2]),
    ];
    Draw::Values(all.concat().into_iter().map(f64::from).collect())
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
