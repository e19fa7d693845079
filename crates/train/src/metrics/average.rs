//! Means over the classes.

use serde::{Deserialize, Serialize};

use super::ClassScores;

/// Means over the classes. Of precision, recall and F1 those classes count that some image has or was said to have; of the two
/// others those for which they are defined.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Averages {
    /// Mean precision.
    pub precision: f64,
    /// Mean recall.
    pub recall: f64,
    /// Mean F1.
    pub f1: f64,
    /// Mean area under the ROC curve; absent where no class has one.
    pub auroc: Option<f64>,
    /// Mean average precision; absent where no class has one.
    pub average_precision: Option<f64>,
}

impl Averages {
    /// Means of these classes, each with a weight.
    pub(super) fn of(classes: &[ClassScores], weight: impl Fn(&ClassScores) -> f64) -> Averages {
        let mean = |value: &dyn Fn(&ClassScores) -> Option<f64>| {
            let known = || classes.iter().filter_map(|class| Some((value(class)?, weight(class))));
            let weights: f64 = known().map(|(_, weight)| weight).sum();
            (weights > 0.0).then(|| known().map(|(value, weight)| value * weight).sum::<f64>() / weights)
        };
        let seen = |value: fn(&ClassScores) -> f64| {
            mean(&|class| (class.samples + class.predicted > 0).then(|| value(class))).unwrap_or(0.0)
        };
        Averages {
            precision: seen(|class| class.precision),
            recall: seen(|class| class.recall),
            f1: seen(|class| class.f1),
            auroc: mean(&|class| class.auroc),
            average_precision: mean(&|class| class.average_precision),
        }
    }
}
