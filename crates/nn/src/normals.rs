//! Many numbers at once, for initial values: a counter-based generator, and Box and Muller's method in plain sums and products, which
//! compilers make vectors of, and which need no mathematics library.

use std::f64::consts::{LN_2, SQRT_2, TAU};

use chiaro_graph::philox4x32;

/// Counters of a group: each gives four numbers.
pub(crate) const COUNTERS: usize = 16;
/// Numbers of a group.
pub(crate) const GROUP: usize = 4 * COUNTERS;

/// Uniform numbers in (0, 1) of the counters from `first` on, in the four words of each.
pub(crate) fn uniforms(first: usize, key: [u32; 2], stream: [u32; 2]) -> [f64; GROUP] {
    let mut words = [[0; COUNTERS]; 4];
    for lane in 0..COUNTERS {
        let counter = (first + lane) as u64;
        let drawn = philox4x32([counter as u32, (counter >> 32) as u32, stream[0], stream[1]], key);
        for (word, drawn) in words.iter_mut().zip(drawn) {
            word[lane] = drawn;
        }
    }
    std::array::from_fn(|i| (f64::from(words[i % 4][i / 4]) + 0.5) / 4_294_967_296.0)
}

/// Standard normal numbers from uniform ones, two of two: √(-2 ln u) times cos 2πv and sin 2πv.
pub(crate) fn normals(uniforms: &[f64; GROUP]) -> [f64; GROUP] {
    const PAIRS: usize = GROUP / 2;
    let (mut cos, mut sin) = ([0.0; PAIRS], [0.0; PAIRS]);
    for pair in 0..PAIRS {
        let radius = (-2.0 * ln(uniforms[2 * pair])).sqrt();
        let turned = cos_sin_turns(uniforms[2 * pair + 1]);
        (cos[pair], sin[pair]) = (radius * turned.0, radius * turned.1);
    }
    std::array::from_fn(|i| if i % 2 == 0 { cos[i / 2] } else { sin[i / 2] })
}

/// 2^52: behind it, the last bits of a number are whole ones.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// The natural logarithm of a normal positive number: of its mantissa m in [√½, √2) by the series of 2 artanh((m - 1) / (m + 1)).
#[inline(always)]
fn ln(x: f64) -> f64 {
    // |(m - 1) / (m + 1)| is below 0.172: the first term left out is below 2e-18.
    const TERMS: [f64; 10] = {
        let mut terms = [0.0; 10];
        let mut k = 0;
        while k < 10 {
            terms[k] = 1.0 / (2 * k + 1) as f64;
            k += 1;
        }
        terms
    };
    let bits = x.to_bits();
    let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1.0f64.to_bits());
    let exponent = f64::from_bits(bits >> 52 | WHOLE.to_bits()) - (WHOLE + 1023.0);
    let above = mantissa > SQRT_2;
    let (m, exponent) = (if above { 0.5 * mantissa } else { mantissa }, if above { exponent + 1.0 } else { exponent });
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let series = TERMS.iter().rev().fold(0.0, |sum, term| sum * square + term);
    2.0 * s * series + exponent * LN_2
}

/// Cosine and sine of so many turns from 0 to 1: by Taylor's series of the rest behind the nearest quarter.
#[inline(always)]
fn cos_sin_turns(turns: f64) -> (f64, f64) {
    // The rest is at most π/4: the first terms left out are below 1e-18.
    const COS: [f64; 10] = alternating(0);
    const SIN: [f64; 10] = alternating(1);
    let quarters = 4.0 * turns + 1.5 * WHOLE;
    let x = TAU * (turns - 0.25 * (quarters - 1.5 * WHOLE));
    let square = x * x;
    let cos = COS.iter().rev().fold(0.0, |sum, term| sum * square + term);
    let sin = SIN.iter().rev().fold(0.0, |sum, term| sum * square + term) * x;
    let quarter = quarters.to_bits();
    // By one quarter (0, 1) becomes (-1, 0); two change the signs.
    let (to_cos, to_sin) = if quarter & 1 == 0 { (cos, sin) } else { (-sin, cos) };
    let sign = (quarter & 2) << 62;
    (f64::from_bits(to_cos.to_bits() ^ sign), f64::from_bits(to_sin.to_bits() ^ sign))
}

/// (-1)^k / (2k + `odd`)!
const fn alternating(odd: usize) -> [f64; 10] {
    let (mut terms, mut term, mut k) = ([0.0; 10], 1.0, 0);
    while k < 10 {
        terms[k] = term;
        term /= -(((2 * k + odd + 1) * (2 * k + odd + 2)) as f64);
        k += 1;
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_and_circle_are_those_of_the_standard_library() {
        for i in 0..200_000u32 {
            let u = (f64::from(i.wrapping_mul(0x9E37_79B1)) + 0.5) / 4_294_967_296.0;
            let near = |got: f64, want: f64| {
                assert!((got - want).abs() <= 1e-15 * want.abs().max(1.0), "{u}: {got}, {want}");
            };
            near(ln(u), u.ln());
            let (cos, sin) = cos_sin_turns(u);
            near(cos, (TAU * u).cos());
            near(sin, (TAU * u).sin());
        }
    }

    #[test]
    fn a_group_is_its_counters_one_by_one() {
        let (key, first) = ([5, 6], u32::MAX as usize - 2);
        let many = uniforms(first, key, [7, 8]);
        for (i, four) in many.chunks(4).enumerate() {
            let counter = first as u64 + i as u64;
            let words = philox4x32([counter as u32, (counter >> 32) as u32, 7, 8], key);
            assert_eq!(four, words.map(|w| (f64::from(w) + 0.5) / 4_294_967_296.0));
        }
        for (pair, got) in many.chunks(2).zip(normals(&many).chunks(2)) {
            let (radius, angle) = ((-2.0 * pair[0].ln()).sqrt(), TAU * pair[1]);
            let want = [radius * angle.cos(), radius * angle.sin()];
            assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-13), "{got:?}, {want:?}");
        }
    }
}
