//! The outputs of an evaluation of images with one class each, and what they say together.

use super::{Calibration, Tally};
use crate::confusion::Confusion;
use crate::metrics::{self, ClassMetrics, fit_temperature, largest, threshold_that_keeps};

/// The most classes whose confusion matrix is reported.
const MATRIX_CLASSES: usize = 20;
/// So many images at least tell a temperature: of fewer the best lies anywhere.
pub(super) const FEWEST: usize = 20;
/// The share of images that are right that the threshold keeps.
pub(super) const KEPT: f64 = 0.95;

/// The outputs of every image, with the confusion of classes.
#[derive(Clone, Debug)]
pub struct ClassTally {
    confusion: Confusion,
    logits: Vec<f32>,
    labels: Vec<usize>,
    temperature: f64,
}

impl ClassTally {
    pub(super) fn new(classes: &[String]) -> ClassTally {
        ClassTally { confusion: Confusion::new(classes.to_vec()), logits: vec![], labels: vec![], temperature: 1.0 }
    }

    /// Which class was taken for which.
    pub fn confusion(&self) -> &Confusion {
        &self.confusion
    }

    fn probabilities(&self, temperature: f64) -> Vec<f64> {
        let classes = self.confusion.classes().len();
        self.logits.chunks_exact(classes.max(1)).flat_map(|row| softmax_at(row, temperature)).collect()
    }

    fn at(&self, temperature: f64) -> Option<ClassMetrics> {
        // What was added is as many rows as labels, each of a class.
        ClassMetrics::of(&self.probabilities(temperature), &self.labels, self.confusion.classes().len()).ok()
    }

    /// Top-5 accuracy and the calibration error, the latter also without the temperature.
    fn words(&self, metrics: &ClassMetrics) -> String {
        let percent = |share: f64| format!("{:.2} %", share * 100.0);
        let top5 = metrics.top5.map(|share| format!("top-5 accuracy {}", percent(share)));
        let error = metrics.calibration_error.map(|error| match self.temperature {
            1.0 => format!("calibration error {}", percent(error)),
            t => {
                let before = self.at(1.0).and_then(|plain| plain.calibration_error).map_or(f64::NAN, |error| error);
                format!("calibration error {} at temperature {t:.3}, {} without", percent(error), percent(before))
            }
        });
        let parts: Vec<String> = top5.into_iter().chain(error).collect();
        parts.join(", ")
    }
}

impl Tally for ClassTally {
    fn add(&mut self, outputs: &[f32], target: &[f64]) {
        let (label, classes) = (target[0] as usize, self.confusion.classes().len());
        self.confusion.count(label, largest(outputs));
        if label < classes && outputs.len() == classes {
            self.logits.extend_from_slice(outputs);
            self.labels.push(label);
        }
    }

    fn measures(&self) -> Vec<f64> {
        // Of no more than five classes each is among the first five.
        let top5 = self.metrics().map_or(f64::NAN, |metrics| metrics.top5.unwrap_or(1.0));
        vec![self.confusion.accuracy(), top5]
    }

    /// The measures of each class and their means, and the matrix where it is not too large.
    fn report(&self) -> String {
        let Some(metrics) = self.metrics() else { return String::new() };
        let classes = self.confusion.classes();
        let mut text = format!("{}\n\n{}", self.words(&metrics), metrics::table(&metrics, classes));
        if classes.len() <= MATRIX_CLASSES {
            text += &format!("\n\nconfusion (rows: label, columns: prediction)\n{}", self.confusion);
        }
        text
    }

    fn calibration(&self) -> Option<Calibration> {
        let classes = self.confusion.classes().len();
        let known = self.logits.iter().all(|logit| logit.is_finite()) && !self.labels.is_empty();
        // Where every image is right no temperature is too low, and a few images tell none: probabilities stay as they are.
        let enough = self.labels.len() >= FEWEST;
        let found = enough.then(|| fit_temperature(&self.logits, &self.labels, classes)).flatten();
        let temperature = found.or(known.then_some(1.0))?;
        let probabilities = self.probabilities(temperature);
        let of_right = |(row, label): (&[f64], &usize)| (largest(row) == *label).then_some(row[*label]);
        let sure: Vec<f64> = probabilities.chunks_exact(classes).zip(&self.labels).filter_map(of_right).collect();
        Some(Calibration { temperature, unknown_below: threshold_that_keeps(KEPT, &sure) })
    }

    fn set_temperature(&mut self, temperature: f64) {
        self.temperature = temperature;
    }

    fn outputs(&self) -> &[f32] {
        &self.logits
    }

    fn labels(&self) -> &[usize] {
        &self.labels
    }

    fn confusion(&self) -> Option<&Confusion> {
        Some(&self.confusion)
    }

    fn metrics(&self) -> Option<ClassMetrics> {
        self.at(self.temperature)
    }
}

/// Probabilities of logits that are divided by a temperature.
pub(crate) fn softmax_at(logits: &[f32], temperature: f64) -> Vec<f64> {
    softmax(&logits.iter().map(|logit| f64::from(*logit) / temperature).collect::<Vec<f64>>())
}

pub(super) fn softmax(logits: &[f64]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_of_large_logits_is_finite_and_sums_to_one() {
        let p = softmax(&[1000.0, 1000.0 + 2f64.ln(), -1000.0]);
        assert!((p[0] - 1.0 / 3.0).abs() < 1e-12 && (p[1] - 2.0 / 3.0).abs() < 1e-12 && p[2] == 0.0, "{p:?}");
    }

    #[test]
    fn without_a_wrong_image_there_is_a_threshold_and_no_other_temperature() {
        let mut tally = ClassTally::new(&["a".to_string(), "b".to_string()]);
        assert_eq!(tally.calibration(), None, "no image");
        for (logit, label) in [(1.0, 0), (3.0, 0), (-2.0, 1)] {
            tally.add(&[logit, 0.0], &[f64::from(label)]);
        }
        let found = tally.calibration().expect("images");
        let least = 1.0 / (1.0 + (-1.0f64).exp());
        assert!(
            found.temperature == 1.0 && (found.unknown_below.expect("right ones") - least).abs() < 1e-6,
            "{found:?}"
        );
    }

    #[test]
    fn a_temperature_changes_the_calibration_error_and_nothing_that_ranks() {
        let mut tally = ClassTally::new(&["a".to_string(), "b".to_string()]);
        for (logit, label) in [(6.0, 0), (6.0, 0), (6.0, 0), (6.0, 1), (-3.0, 1)] {
            tally.add(&[logit, 0.0], &[f64::from(label)]);
        }
        assert_eq!(tally.calibration().expect("images").temperature, 1.0, "five images tell none");
        for (logit, label) in [(6.0, 0), (6.0, 0), (6.0, 0), (6.0, 1), (-3.0, 1)].repeat(3) {
            tally.add(&[logit, 0.0], &[f64::from(label)]);
        }
        let plain = tally.metrics().expect("images");
        let found = tally.calibration().expect("a wrong one");
        tally.set_temperature(found.temperature);
        let scaled = tally.metrics().expect("images");
        assert!(found.temperature > 2.0 && scaled.loss < plain.loss, "{found:?}");
        assert!(scaled.calibration_error < plain.calibration_error, "{scaled:?}");
        assert_eq!((scaled.accuracy, &scaled.classes), (plain.accuracy, &plain.classes));
        assert!(tally.report().contains(&format!("at temperature {:.3}", found.temperature)), "{}", tally.report());
        // Of the right ones the least sure is the one of logit -3.
        let least = 1.0 / (1.0 + (-3.0 / found.temperature).exp());
        assert!((found.unknown_below.expect("right ones") - least).abs() < 1e-12, "{found:?}");
    }
}
