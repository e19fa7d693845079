//! Whether probabilities are what they say: of images that are sure by 80 %, are 80 % right?

use serde::{Deserialize, Serialize};

/// Bins of equal width, as Guo et al. use them.
const BINS: usize = 15;

/// Images whose class was said with a probability of one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// How many.
    pub images: usize,
    /// The mean of the probabilities; 0 without images.
    pub sure: f64,
    /// The share of them that are right; 0 without images.
    pub right: f64,
}

/// Images by the probability of the class that they are said to be of, in 15 bins of equal width from 0 to 1: what a reliability
/// diagram shows. `sure` has the probabilities, `right` whether the class was the image's.
pub fn reliability(sure: &[f64], right: &[bool]) -> Vec<ReliabilityBin> {
    let mut bins = [ReliabilityBin::default(); BINS];
    for (p, right) in sure.iter().zip(right) {
        // A bin's upper bound is its own.
        let bin = &mut bins[((p * BINS as f64).ceil() as usize).clamp(1, BINS) - 1];
        bin.images += 1;
        bin.sure += p;
        bin.right += f64::from(u8::from(*right));
    }
    for bin in &mut bins {
        let images = bin.images.max(1) as f64;
        (bin.sure, bin.right) = (bin.sure / images, bin.right / images);
    }
    bins.to_vec()
}

/// The expected calibration error of Guo et al. (2017): images are sorted into 15 bins of equal width by the probability of the
/// class that they are said to be of; the distance between the mean probability and the share of right ones of each bin, weighted
/// by its images. `sure` has the probabilities, `right` whether the class was the image's.
pub fn calibration_error(sure: &[f64], right: &[bool]) -> f64 {
    let off = |bin: &ReliabilityBin| (bin.sure - bin.right).abs() * bin.images as f64;
    reliability(sure, right).iter().map(off).sum::<f64>() / sure.len() as f64
}

#[cfg(test)]
mod tests {
    use super::{calibration_error, reliability};

    #[test]
    fn the_error_is_the_distance_between_sure_and_right() {
        // Two images sure by 90 %, one right: 40 % off. Two by 50 %, one right: nothing.
        let error = calibration_error(&[0.9, 0.9, 0.5, 0.5], &[true, false, false, true]);
        assert!((error - 0.2).abs() < 1e-12, "{error}");
        let bins = reliability(&[0.9, 0.9, 0.5, 0.5], &[true, false, false, true]);
        let there: Vec<(usize, usize)> =
            bins.iter().enumerate().filter(|(_, bin)| bin.images > 0).map(|(i, bin)| (i, bin.images)).collect();
        assert_eq!((there, bins[13].right), (vec![(7, 2), (13, 2)], 0.5));
        assert_eq!(calibration_error(&[1.0, 0.0], &[true, false]), 0.0);
    }
}
