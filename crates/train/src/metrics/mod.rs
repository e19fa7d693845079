//! Measures of a classifier from probabilities and labels, equal to scikit-learn's: usable on any numbers, of this crate's models
//! or others.

mod average;
mod calibration;
mod class;
mod ranking;
mod report;
mod temperature;

pub use average::Averages;
pub use calibration::{ReliabilityBin, calibration_error, reliability};
pub use class::ClassScores;
pub use ranking::{auroc, average_precision};
pub(crate) use report::table;
pub use temperature::{fit_temperature, fit_temperature_of_several, threshold_that_keeps};

use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};

/// Places of a ranking in which a label counts as found by [`ClassMetrics::top5`].
pub(crate) const TOP: usize = 5;

/// How good a classifier is over some images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Images.
    pub samples: usize,
    /// Mean cross-entropy of an image, probabilities taken to be at least 2.2e-16 as scikit-learn's `log_loss` has it; of several
    /// labels an image the mean of the binary ones. NaN where a probability of it is.
    pub loss: f64,
    /// Share of images whose class is the most probable one, of equal ones the first; of several labels the share of right decisions.
    pub accuracy: f64,
    /// Share of images whose class is among the five most probable; absent where there are no more than five.
    pub top5: Option<f64>,
    /// The expected calibration error ([`calibration_error`]); absent of several labels an image.
    pub calibration_error: Option<f64>,
    /// Means over the classes.
    pub macro_average: Averages,
    /// Means over the classes, by their numbers of images.
    pub weighted_average: Averages,
    /// Each class, in their order.
    pub classes: Vec<ClassScores>,
}

impl ClassMetrics {
    /// Of images with one label each: a row of probabilities each, `classes` of them, and the label.
    ///
    /// # Errors
    /// If they are not as many rows as labels, or a label is no class.
    pub fn of(probabilities: &[f64], labels: &[usize], classes: usize) -> Result<ClassMetrics> {
        check(probabilities, labels.len(), classes)?;
        if let Some(wrong) = labels.iter().find(|label| **label >= classes) {
            return Err(TrainError::setting(format!("the label {wrong} is none of {classes} classes")));
        }
        let rows: Vec<&[f64]> = probabilities.chunks_exact(classes).collect();
        let said: Vec<usize> = rows.iter().map(|row| largest(row)).collect();
        let images = labels.len() as f64;
        let pairs = || rows.iter().zip(labels);
        let share = |count: usize| count as f64 / images;
        let found = |(row, label): &(&&[f64], &usize)| place(row, **label) < TOP;
        let right: Vec<bool> = said.iter().zip(labels).map(|(said, label)| said == label).collect();
        let sure: Vec<f64> = rows.iter().zip(&said).map(|(row, &said)| row[said]).collect();
        let scored = by_class(&rows, classes, |image, class| (labels[image] == class, said[image] == class));
        Ok(ClassMetrics {
            samples: labels.len(),
            loss: pairs().map(|(row, &label)| surprise(row[label])).sum::<f64>() / images,
            accuracy: share(right.iter().filter(|right| **right).count()),
            top5: (classes > TOP).then(|| share(pairs().filter(found).count())),
            calibration_error: Some(calibration_error(&sure, &right)),
            macro_average: Averages::of(&scored, |_| 1.0),
            weighted_average: Averages::of(&scored, |class| class.samples as f64),
            classes: scored,
        })
    }

    /// Of images that show any of the classes: a row of probabilities each, and for each whether the image shows the class. A
    /// class is said to be shown from above one half on.
    ///
    /// # Errors
    /// If they are not as many.
    pub fn of_several(probabilities: &[f64], shown: &[bool], classes: usize) -> Result<ClassMetrics> {
        check(probabilities, shown.len() / classes.max(1), classes)?;
        let rows: Vec<&[f64]> = probabilities.chunks_exact(classes).collect();
        let decisions = || probabilities.iter().zip(shown);
        let right = decisions().filter(|(p, shown)| (**p > 0.5) == **shown).count();
        let loss = |(p, shown): (&f64, &bool)| surprise(if *shown { *p } else { 1.0 - p });
        let scored =
            by_class(&rows, classes, |image, class| (shown[image * classes + class], rows[image][class] > 0.5));
        Ok(ClassMetrics {
            samples: rows.len(),
            loss: decisions().map(loss).sum::<f64>() / shown.len() as f64,
            accuracy: right as f64 / shown.len() as f64,
            top5: None,
            calibration_error: None,
            macro_average: Averages::of(&scored, |_| 1.0),
            weighted_average: Averages::of(&scored, |class| class.samples as f64),
            classes: scored,
        })
    }
}

fn check(probabilities: &[f64], rows: usize, classes: usize) -> Result<()> {
    if classes > 0 && probabilities.len() == rows * classes {
        return Ok(());
    }
    let found = probabilities.len();
    Err(TrainError::setting(format!(
        "{found} probabilities are not one for each of {rows} images and {classes} classes"
    )))
}

/// Scores of each class; `is` says of an image and a class whether it is of the class, and whether it was said to be.
fn by_class(rows: &[&[f64]], classes: usize, is: impl Fn(usize, usize) -> (bool, bool)) -> Vec<ClassScores> {
    let of = |class: usize| {
        let scores: Vec<f64> = rows.iter().map(|row| row[class]).collect();
        let (is, said): (Vec<bool>, Vec<bool>) = (0..rows.len()).map(|image| is(image, class)).unzip();
        ClassScores::of(&scores, &is, &said)
    };
    (0..classes).map(of).collect()
}

/// NaN of NaN, which `f64::max` would hide.
fn surprise(probability: f64) -> f64 {
    if probability < f64::EPSILON { -f64::EPSILON.ln() } else { -probability.ln() }
}

/// Place of the first largest value; 0 where none is.
pub(crate) fn largest<T: PartialOrd>(row: &[T]) -> usize {
    let mut best = 0;
    for (i, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = i;
        }
    }
    best
}

/// How many classes are more probable than this one; of equal ones those that come first.
fn place(row: &[f64], label: usize) -> usize {
    let before = |(class, p): (usize, &f64)| *p > row[label] || (*p == row[label] && class < label);
    row.iter().enumerate().filter(|pair| before(*pair)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_scores_the_first_is_the_class() {
        assert_eq!(largest(&[1.0, 1.0]), 0);
        assert_eq!(largest(&[-3.0, 2.0, 1.0, 2.0]), 1);
        assert_eq!(largest(&[f32::NAN, f32::NAN]), 0);
        assert_eq!([0, 1, 2].map(|label| place(&[0.2, 0.6, 0.2], label)), [1, 0, 2]);
    }

    #[test]
    fn the_loss_of_probabilities_that_are_no_numbers_is_none() {
        let loss = |p: f64| ClassMetrics::of(&[p, 0.5, 0.5, 0.5], &[0, 1], 2).expect("fits").loss;
        assert!(loss(f64::NAN).is_nan() && loss(0.0).is_finite());
        let several = |p: f64| ClassMetrics::of_several(&[p, 0.5], &[false, true], 2).expect("fits").loss;
        assert!(several(f64::NAN).is_nan() && several(1.0).is_finite());
    }

    #[test]
    fn numbers_that_do_not_fit_each_other_are_refused() {
        assert!(ClassMetrics::of(&[0.5, 0.5], &[2], 2).is_err_and(|e| e.to_string().contains("label 2 is none of 2")));
        assert!(ClassMetrics::of(&[0.5, 0.5, 0.1], &[0], 2).is_err());
        assert!(ClassMetrics::of(&[], &[], 0).is_err());
        assert!(ClassMetrics::of_several(&[0.5], &[true, false], 2).is_err());
    }
}
