//! Whether probabilities are what they say: of images that are sure by 80 %, are 80 % right?

/// Bins of equal width, as Guo et al. use them.
const BINS: usize = 15;

/// The expected calibration error of Guo et al. (2017): images are sorted into 15 bins of equal width by the probability of the
/// class that they are said to be of; the distance between the mean probability and the share of right ones of each bin, weighted
/// by its images. `sure` has the probabilities, `right` whether the class was the image's.
pub fn calibration_error(sure: &[f64], right: &[bool]) -> f64 {
    let mut bins = [(0.0, 0.0); BINS];
    for (p, right) in sure.iter().zip(right) {
        // A bin's upper bound is its own.
        let bin = ((p * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        bins[bin].0 += p;
        bins[bin].1 += f64::from(u8::from(*right));
    }
    bins.iter().map(|(sure, right)| (sure - right).abs()).sum::<f64>() / sure.len() as f64
}

#[cfg(test)]
mod tests {
    use super::calibration_error;

    #[test]
    fn the_error_is_the_distance_between_sure_and_right() {
        // Two images sure by 90 %, one right: 40 % off. Two by 50 %, one right: nothing.
        let error = calibration_error(&[0.9, 0.9, 0.5, 0.5], &[true, false, false, true]);
        assert!((error - 0.2).abs() < 1e-12, "{error}");
        assert_eq!(calibration_error(&[1.0, 0.0], &[true, false]), 0.0);
    }
}
