//! How well one class is told from all others.

use serde::{Deserialize, Serialize};

use super::{auroc, average_precision};

/// How well one class is told from all others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Images of the class.
    pub samples: usize,
    /// Images that were said to be of it.
    pub predicted: usize,
    /// Share of those said to be of the class that are; 0 where none was.
    pub precision: f64,
    /// Share of the class's images that were said to be; 0 where it has none.
    pub recall: f64,
    /// Harmonic mean of the two; 0 where both are.
    pub f1: f64,
    /// Area under the ROC curve of its probability; absent where all images are of the class, or none.
    pub auroc: Option<f64>,
    /// Average precision of the ranking by its probability; absent where no image is of the class.
    pub average_precision: Option<f64>,
}

impl ClassScores {
    /// From the class's score for each image, whether the image is of the class, and whether it was said to be.
    pub(super) fn of(scores: &[f64], is: &[bool], said: &[bool]) -> ClassScores {
        let count = |of: &[bool]| of.iter().filter(|yes| **yes).count();
        let (samples, predicted) = (count(is), count(said));
        let right = is.iter().zip(said).filter(|(is, said)| **is && **said).count();
        let share = |of: usize| if of == 0 { 0.0 } else { right as f64 / of as f64 };
        let both = samples + predicted;
        ClassScores {
            samples,
            predicted,
            precision: share(predicted),
            recall: share(samples),
            f1: if both == 0 { 0.0 } else { 2.0 * right as f64 / both as f64 },
            auroc: auroc(scores, is),
            average_precision: average_precision(scores, is),
        }
    }
}
