//! MixUp and CutMix: each image with a share of the one that stands opposite in the batch, and the loss with the same share of its
//! target. One share for a step, as timm has it.

use super::Augment;
use super::draws::Stream;

/// What a step mixes.
pub(super) struct Mix {
    /// 256ths of the other image outside and inside of the rectangle.
    outside: i32,
    inside: i32,
    /// Rows from, to, columns from, to.
    rectangle: [i32; 4],
    /// Share of the other image's target.
    other: f64,
}

impl Mix {
    pub fn none() -> Mix {
        Mix { outside: 0, inside: 0, rectangle: [0; 4], other: 0.0 }
    }

    pub fn draw(augment: &Augment, stream: &Stream, [h, w]: [usize; 2]) -> Mix {
        let [which, down, across, mixed] = stream.four(0);
        if mixed >= augment.mixed {
            return Mix::none();
        }
        let cuts = augment.cutmix > 0.0 && (augment.mixup == 0.0 || which < 0.5);
        let own = beta(if cuts { augment.cutmix } else { augment.mixup }, stream);
        if !cuts {
            let outside = ((1.0 - own) * 256.0).round();
            return Mix { outside: outside as i32, other: outside / 256.0, ..Mix::none() };
        }
        // A rectangle of the image's aspect around a random middle, as far as it lies inside.
        let along = |n: usize, u: f64| {
            let (half, middle) = (n as f64 * (1.0 - own).sqrt() / 2.0, u * n as f64);
            [(middle - half).round().max(0.0) as i32, (middle + half).round().min(n as f64) as i32]
        };
        let (rows, columns) = (along(h, down), along(w, across));
        let area = f64::from((rows[1] - rows[0]) * (columns[1] - columns[0]));
        let rectangle = [rows[0], rows[1], columns[0], columns[1]];
        Mix { outside: 0, inside: 256, rectangle, other: area / (h * w) as f64 }
    }

    /// Shares and rectangle as the changes of an image have them.
    pub fn numbers(&self) -> [i32; 6] {
        let [a, b, c, d] = self.rectangle;
        [self.outside, self.inside, a, b, c, d]
    }

    /// Of an image's own target, and of the other's.
    pub fn shares(&self) -> [f32; 2] {
        [(1.0 - self.other) as f32, self.other as f32]
    }
}

/// A number of the distribution Beta(alpha, alpha): of two numbers of Gamma(alpha, 1), the first's share.
fn beta(alpha: f64, stream: &Stream) -> f64 {
    let mut kind = 1;
    // By their logarithms: of a small alpha the numbers themselves are too small.
    let (a, b) = (log_gamma(alpha, stream, &mut kind), log_gamma(alpha, stream, &mut kind));
    1.0 / (1.0 + (b - a).exp())
}

/// The logarithm of a number of Gamma(alpha, 1) by Marsaglia and Tsang (2000), of an alpha below 1 by a power of a uniform number; gives up
/// after the words that an image has.
fn log_gamma(alpha: f64, stream: &Stream, kind: &mut u32) -> f64 {
    let boost = if alpha < 1.0 { 1.0 } else { 0.0 };
    let d = alpha + boost - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    for _ in 0..14 {
        let [u, v, w, x] = stream.four(*kind).map(|u| 1.0 - u);
        *kind += 1;
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        let cube = (1.0 + c * normal).powi(3);
        if cube > 0.0 && w.ln() < 0.5 * normal * normal + d - d * cube + d * cube.ln() {
            return (d * cube).ln() + if boost > 0.0 { x.ln() / alpha } else { 0.0 };
        }
    }
    d.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::StepKey;

    #[test]
    fn shares_have_the_mean_and_spread_of_their_distribution() {
        for alpha in [0.2, 1.0, 4.0] {
            let of = |step: u64| beta(alpha, &Stream::new(&StepKey { seed: 3, step, ..StepKey::default() }, 77));
            let all: Vec<f64> = (0..4000).map(of).collect();
            let mean = all.iter().sum::<f64>() / 4000.0;
            let variance = all.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / 4000.0;
            let wanted = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((mean - 0.5).abs() < 0.02 && (variance / wanted - 1.0).abs() < 0.1, "{alpha}: {mean} {variance}");
        }
    }

    #[test]
    fn a_very_small_alpha_hardly_ever_mixes() {
        for alpha in [1e-2, 1e-4, 1e-9] {
            let of = |step: u64| beta(alpha, &Stream::new(&StepKey { seed: 5, step, ..StepKey::default() }, 7));
            let between = (0..1000).map(of).filter(|b| (0.05..0.95).contains(b)).count();
            assert!(between < 50, "{alpha}: {between} of 1000 are mixed");
        }
    }

    #[test]
    fn a_share_of_the_steps_mixes_and_those_as_without_it() {
        let draw = |mixed: f64, step: u64| {
            let stream = Stream::new(&StepKey { seed: 4, step, ..StepKey::default() }, 5);
            Mix::draw(&Augment { mixup: 1.0, cutmix: 1.0, mixed, ..Augment::default() }, &stream, [16, 24])
        };
        let all = |mixed: f64| -> Vec<[i32; 6]> { (0..1000).map(|step| draw(mixed, step).numbers()).collect() };
        let none = Mix::none().numbers();
        let (half, every) = (all(0.5), all(1.0));
        let mixes = half.iter().filter(|numbers| **numbers != none).count();
        assert!((440..560).contains(&mixes), "{mixes} of 1000 steps");
        assert!(half.iter().zip(&every).all(|(a, b)| *a == none || a == b));
        assert!(all(0.0).iter().all(|numbers| *numbers == none));
    }

    #[test]
    fn the_share_of_a_target_is_that_of_the_pixels() {
        for step in 0..50 {
            let stream = Stream::new(&StepKey { seed: 9, step, ..StepKey::default() }, 5);
            let mix = Mix::draw(&Augment { cutmix: 1.0, ..Augment::default() }, &stream, [16, 24]);
            let [_, _, top, bottom, left, right] = mix.numbers();
            let inside = f64::from((bottom - top) * (right - left)) / (16.0 * 24.0);
            assert!(0 <= top && top <= bottom && bottom <= 16 && left <= right && right <= 24);
            assert!(
                (f64::from(mix.shares()[1]) - inside).abs() < 1e-6
                    && (mix.shares()[0] + mix.shares()[1] - 1.0).abs() < 1e-6
            );
        }
    }
}
