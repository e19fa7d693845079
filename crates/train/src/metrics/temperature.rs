//! The temperature of a trained model: what its outputs are divided by so that probabilities are what they say (Guo et al. 2017).

/// Temperatures between which one is looked for.
const RANGE: [f64; 2] = [0.05, 20.0];
const ROUNDS: usize = 60;

/// The temperature that makes the mean cross-entropy of images with one label each smallest. `None` where every image is right
/// (the sharper the better then, without end) or there is none, or an output is not finite.
pub fn fit_temperature(logits: &[f32], labels: &[usize], classes: usize) -> Option<f64> {
    let rows = || logits.chunks_exact(classes).zip(labels);
    let wrong = rows().filter(|(row, label)| row.iter().any(|other| *other > row[**label])).count();
    if wrong == 0 || logits.iter().any(|logit| !logit.is_finite()) {
        return None;
    }
    Some(fit(|sharpness| {
        rows().fold([0.0, 0.0], |[slope, curvature], (row, &label)| {
            let most = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let mut sums = [0.0; 3];
            for logit in row.iter().map(|logit| f64::from(*logit)) {
                let power = (sharpness * (logit - most)).exp();
                sums = [sums[0] + power, sums[1] + power * logit, sums[2] + power * logit * logit];
            }
            let (mean, square) = (sums[1] / sums[0], sums[2] / sums[0]);
            [slope + mean - f64::from(row[label]), curvature + square - mean * mean]
        })
    }))
}

/// The same of images that show any of the classes, by the mean of the binary cross-entropies.
pub fn fit_temperature_of_several(logits: &[f32], shown: &[bool]) -> Option<f64> {
    let pairs = || logits.iter().map(|logit| f64::from(*logit)).zip(shown);
    let wrong = pairs().filter(|(logit, shown)| (*logit > 0.0) != **shown).count();
    if wrong == 0 || logits.iter().any(|logit| !logit.is_finite()) {
        return None;
    }
    Some(fit(|sharpness| {
        pairs().fold([0.0, 0.0], |[slope, curvature], (logit, &shown)| {
            let p = 1.0 / (1.0 + (-sharpness * logit).exp());
            let target = f64::from(u8::from(shown));
            [slope + (p - target) * logit, curvature + p * (1.0 - p) * logit * logit]
        })
    }))
}

/// The temperature where the slope of a convex loss over its inverse is 0: Newton's steps, halved into the bracket that is known.
fn fit(slope_and_curvature: impl Fn(f64) -> [f64; 2]) -> f64 {
    let [mut low, mut high] = [1.0 / RANGE[1], 1.0 / RANGE[0]];
    let mut sharpness = 1.0;
    for _ in 0..ROUNDS {
        let [slope, curvature] = slope_and_curvature(sharpness);
        if slope > 0.0 {
            high = sharpness
        } else {
            low = sharpness
        }
        let newton = sharpness - slope / curvature;
        let next = if newton > low && newton < high { newton } else { (low + high) / 2.0 };
        if (next - sharpness).abs() <= 1e-9 * sharpness {
            break;
        }
        sharpness = next;
    }
    1.0 / sharpness
}

/// The largest probability that this share of the numbers, those of images that are right, reaches: below it a class is rather
/// unknown. `None` where there are no numbers.
pub fn threshold_that_keeps(share: f64, sure: &[f64]) -> Option<f64> {
    let mut sorted = sure.to_vec();
    sorted.sort_by(f64::total_cmp);
    let left_out = ((1.0 - share) * sorted.len() as f64 + 1e-9) as usize;
    sorted.get(left_out).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_every_image_is_right_no_temperature_is_found() {
        assert_eq!(fit_temperature(&[2.0, 1.0, 0.0, 3.0], &[0, 1], 2), None);
        assert_eq!(fit_temperature(&[f32::NAN, 1.0], &[0], 2), None);
        assert_eq!(fit_temperature(&[], &[], 2), None);
        assert_eq!(fit_temperature_of_several(&[2.0, -1.0], &[true, false]), None);
    }

    #[test]
    fn outputs_that_say_the_contrary_get_the_highest_temperature() {
        let found = fit_temperature(&[5.0, 0.0, 4.0, 0.0], &[1, 1], 2).expect("wrong ones");
        assert!((found - RANGE[1]).abs() < 1e-3, "{found}");
    }

    #[test]
    fn three_of_four_right_at_one_distance_are_sure_by_three_quarters() {
        // Logits 6 and 0: the temperature makes softmax 3/4, so 6 / T = ln 3; of sigmoids the same.
        let logits = [6.0f32, 0.0].repeat(4);
        let found = fit_temperature(&logits, &[0, 0, 0, 1], 2).expect("a wrong one");
        assert!((found - 6.0 / 3f64.ln()).abs() < 1e-6, "{found}");
        let found = fit_temperature_of_several(&[6.0; 4], &[true, true, true, false]).expect("a wrong one");
        assert!((found - 6.0 / 3f64.ln()).abs() < 1e-6, "{found}");
    }

    #[test]
    fn a_threshold_keeps_its_share_of_the_images() {
        let sure: Vec<f64> = (1..=100).rev().map(|n| f64::from(n) / 100.0).collect();
        assert_eq!(threshold_that_keeps(0.95, &sure), Some(0.06));
        assert_eq!(threshold_that_keeps(1.0, &sure), Some(0.01));
        assert_eq!(threshold_that_keeps(0.95, &[]), None);
    }
}
