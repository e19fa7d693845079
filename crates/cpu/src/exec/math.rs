//! Exponentials and the error function as polynomials that compilers turn into vectors; the standard library's are calls, one element at a
//! time. Errors are a few units in the last place (see the tests).

// Digits as in the expansions; the compiler rounds them.
#![allow(clippy::excessive_precision)]

/// e to the power x: 2^n e^r with |r| at most half of ln 2, and e^r by its series, fitted in the last terms.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer in any instruction set.
    const ROUND: f32 = 12_582_912.0;
    // Comparisons that are false for NaN let it through.
    let x = if x > 90.0 { 90.0 } else { x };
    let x = if x < -105.0 { -105.0 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    // ln 2 in two parts, the first exact in products with small integers.
    let r = (x - n * 0.693_359_375) - n * -2.121_944_4e-4;
    let p = 1.987_569_15e-4;
    let p = p * r + 1.398_199_95e-3;
    let p = p * r + 8.333_451_91e-3;
    let p = p * r + 4.166_579_58e-2;
    let p = p * r + 0.166_666_655;
    let p = p * r + 0.5;
    let y = p * r * r + r + 1.0;
    // Two factors, so that the largest and the denormal results are reached.
    // The integer stands in the last bits of the sum: a cast is made one element at a time, since it saturates.
    let n = (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = n >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
    y * power(half) * power(n.wrapping_sub(half))
}

/// 1 / (1 + e^-x), without overflow.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let numerator = if x < 0.0 { e } else { 1.0 };
    numerator / (1.0 + e)
}

/// Hyperbolic tangent: a series near 0, where the quotient of exponentials loses digits.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let size = x.abs();
    let far = 1.0 - 2.0 / (exp(2.0 * size) + 1.0);
    let far = if x < 0.0 { -far } else { far };
    let z = x * x;
    let p = -5.704_988_73e-3;
    let p = p * z + 2.063_908_86e-2;
    let p = p * z - 5.373_971_73e-2;
    let p = p * z + 0.133_314_422;
    let p = p * z - 0.333_332_819;
    let near = p * z * x + x;
    if size < 0.625 { near } else { far }
}

/// The error function, absolute error below 2e-7: the fits of the GPU's `erf.wgsl`, an odd polynomial up to 1, and up to 4 the logarithm
/// of what is missing to 1.
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    let a = x.abs();
    let a = if a > 4.0 { 4.0 } else { a };
    let t = a * a;
    let small = 7.875_875_05e-5;
    let small = small * t - 8.016_864_28e-4;
    let small = small * t + 5.189_087_42e-3;
    let small = small * t - 2.685_421_20e-2;
    let small = small * t + 0.112_835_947;
    let small = small * t - 0.376_126_267;
    let small = small * t + std::f32::consts::FRAC_2_SQRT_PI;
    let large = -1.637_151_41e-6;
    let large = large * a + 4.605_804_27e-5;
    let large = large * a - 5.968_056_26e-4;
    let large = large * a + 4.759_596_29e-3;
    let large = large * a - 2.642_113_60e-2;
    let large = large * a + 0.110_080_083;
    let large = large * a + 0.631_826_052;
    let large = large * a + 1.130_233_43;
    let large = large * a - 3.201_380_52e-4;
    // Both before the choice: a branch would keep the loop from becoming vectors.
    let (near, far) = (a * small, 1.0 - exp(-large));
    let y = if a < 1.0 { near } else { far };
    y.copysign(x)
}

/// x Φ(x), with the error function.
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_is_right_to_2e_7() {
        for i in -6000..=6000 {
            let x = i as f32 * 0.001;
            let want = chiaro_graph::Elementwise::Erf.eval_f64([f64::from(x), 0.0, 0.0]);
            let error = (f64::from(erf(x)) - want).abs();
            assert!(error < 2e-7, "erf {x}: {error:e}");
        }
        assert_eq!([erf(f32::INFINITY), erf(f32::NEG_INFINITY), erf(0.0)], [1.0, -1.0, 0.0]);
        assert!(erf(f32::NAN).is_nan());
    }

    #[test]
    fn errors_are_a_few_units_in_the_last_place() {
        let relative = |got: f32, want: f64| (f64::from(got) - want).abs() / want.abs().max(1e-37);
        for i in -8700..=8800 {
            let (x, wide) = (i as f32 * 0.01, f64::from(i as f32 * 0.01));
            assert!(relative(exp(x), wide.exp()) < 2e-7, "exp {x}");
            assert!(relative(tanh(x * 0.1), (wide * f64::from(0.1f32)).tanh()) < 5e-7, "tanh {}", x * 0.1);
            assert!(relative(sigmoid(x), 1.0 / (1.0 + (-wide).exp())) < 3e-7, "sigmoid {x}");
        }
    }

    #[test]
    fn ends_of_the_range_are_those_of_the_functions() {
        assert_eq!(
            [exp(f32::INFINITY), exp(89.0), exp(f32::NEG_INFINITY), exp(0.0)],
            [f32::INFINITY, f32::INFINITY, 0.0, 1.0]
        );
        assert_eq!([tanh(f32::INFINITY), tanh(-50.0), tanh(0.0)], [1.0, -1.0, 0.0]);
        assert_eq!([sigmoid(f32::NEG_INFINITY), sigmoid(f32::INFINITY)], [0.0, 1.0]);
        assert!(exp(f32::NAN).is_nan() && tanh(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
        assert!(exp(-100.0) > 0.0);
    }

    #[test]
    fn denormal_exponentials_are_right_to_their_last_bit_and_gelu_to_its_size() {
        let least = f64::from(f32::from_bits(1));
        for i in 8700..=10_500 {
            let x = i as f32 * -0.01;
            assert!((f64::from(exp(x)) - f64::from(x).exp()).abs() <= least.max(2e-7 * f64::from(x).exp()), "exp {x}");
        }
        for i in -6000..=6000 {
            let x = i as f32 * 0.001;
            let want = chiaro_graph::Elementwise::Gelu.eval_f64([f64::from(x), 0.0, 0.0]);
            assert!((f64::from(gelu(x)) - want).abs() <= 2e-7 * f64::from(x.abs()).max(1.0), "gelu {x}");
        }
    }
}
