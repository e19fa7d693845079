//! Classification: each image is of one of the classes.

use std::sync::Arc;

use chiaro_data::{DataError, Dataset, class_counts};
use chiaro_nn::{ClassLoss, Classification, Metrics};

use super::class_tally::{ClassTally, softmax};
use super::{Guess, MULTI_LABEL, Measure, NamedTask, Tally, Targets, Task};
use crate::error::{Result, TrainError};
use crate::settings::{LossName, TrainConfig, shows_several};

const NAME: &str = "classification";
const ACCURACY: Measure = Measure::share("accuracy");
/// Of five classes or fewer it is 1.
const TOP5: Measure = Measure { aside: true, ..Measure::share("accuracy_top5") };

pub(super) const NAMED: NamedTask = NamedTask {
    name: NAME,
    help: "Each image is of one of the classes",
    settings: &[
        "label_smoothing",
        "loss",
        "focal_gamma",
        "huber_delta",
        "class_weights",
        "sampling",
        "teacher",
        "distill_weight",
        "distill_temperature",
    ],
    make: |config| {
        let (label_smoothing, loss) = (config.label_smoothing, loss(config));
        Arc::new(Classification { label_smoothing, loss, class_weights: None })
    },
};

/// The loss that the settings name.
fn loss(config: &TrainConfig) -> ClassLoss {
    match config.loss {
        LossName::CrossEntropy => ClassLoss::CrossEntropy,
        LossName::Focal => ClassLoss::Focal { gamma: config.focal_gamma },
        LossName::Bce => ClassLoss::Binary,
        LossName::Huber => ClassLoss::Huber { delta: config.huber_delta },
    }
}

impl Task for Classification {
    fn name(&self) -> &str {
        NAME
    }

    fn targets(&self, set: &dyn Dataset) -> Result<Targets> {
        Ok(Targets::labels((0..set.len()).map(|i| set.label(i) as i32).collect()))
    }

    fn check_data(&self, train: &dyn Dataset, eval: &dyn Dataset) -> Result<()> {
        if shows_several(train) || shows_several(eval) {
            return Err(TrainError::setting(format!(
                "some images show several of the classes or none of them, which --task {MULTI_LABEL} learns; {NAME} needs one for each"
            )));
        }
        check_labels("training", train)?;
        check_labels("evaluation", eval)?;
        check_classes(train)
    }

    fn fitted(&self, config: &TrainConfig, train: &dyn Dataset) -> Result<Option<Arc<dyn Task>>> {
        let Some(weights) = &config.class_weights else { return Ok(None) };
        let weights = weights.of(&class_counts(train)).map_err(TrainError::Setting)?;
        Ok(Some(Arc::new(Classification { class_weights: Some(weights), ..self.clone() })))
    }

    fn target_words(&self, target: &[f64], classes: &[String]) -> String {
        target.first().and_then(|label| classes.get(*label as usize)).cloned().unwrap_or_default()
    }

    fn measures(&self) -> Vec<Measure> {
        vec![ACCURACY]
    }

    fn eval_measures(&self) -> Vec<Measure> {
        vec![ACCURACY, TOP5]
    }

    fn measured(&self, metrics: &Metrics) -> Vec<f64> {
        (0..2).map(|i| metrics.mean(i)).collect()
    }

    fn tally(&self, classes: &[String]) -> Box<dyn Tally> {
        Box::new(ClassTally::new(classes))
    }

    fn predict(&self, outputs: &[f64], classes: &[String]) -> Vec<Guess> {
        Guess::ranked(classes, &softmax(outputs))
    }
}

/// Refuses a training set of one class alone: nothing could be learnt, and everything would be right.
fn check_classes(train: &dyn Dataset) -> Result<()> {
    let counts = class_counts(train);
    let mut with_images = counts.iter().zip(train.classes()).filter(|(count, _)| **count > 0);
    match (with_images.next(), with_images.next()) {
        (Some((_, class)), None) => Err(DataError::OneClass { class: class.clone(), images: train.len() }.into()),
        (None, _) | (Some(_), Some(_)) => Ok(()),
    }
}

/// Refuses a label that no class has: data sets of other crates can hold any.
fn check_labels(split: &str, set: &dyn Dataset) -> Result<()> {
    let classes = set.classes().len();
    match (0..set.len()).find(|&i| set.label(i) as usize >= classes) {
        None => Ok(()),
        Some(i) => Err(TrainError::setting(format!(
            "image {i} of the {split} set has label {}, but labels are 0 to {} for {classes} classes",
            set.label(i),
            classes.saturating_sub(1)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two images of which the second has this label.
    struct Labelled(u32, Vec<String>);

    impl Dataset for Labelled {
        fn len(&self) -> usize {
            2
        }

        fn image_shape(&self) -> [usize; 3] {
            [1, 1, 1]
        }

        fn classes(&self) -> &[String] {
            &self.1
        }

        fn label(&self, index: usize) -> u32 {
            if index == 1 { self.0 } else { 0 }
        }

        fn write_image(&self, _index: usize, out: &mut [u8]) -> std::result::Result<(), DataError> {
            out.fill(7);
            Ok(())
        }
    }

    #[test]
    fn a_label_that_no_class_has_is_refused_with_the_image_that_has_it() {
        let set = |label| Labelled(label, vec!["a".into(), "b".into()]);
        let check = |train, test| Classification::default().check_data(&set(train), &set(test));
        assert!(check(1, 0).is_ok());
        let message = |train, test| check(train, test).expect_err("a wrong label").to_string();
        assert_eq!(message(1, 9), "image 1 of the evaluation set has label 9, but labels are 0 to 1 for 2 classes");
        assert!(message(2, 0).starts_with("image 1 of the training set has label 2"));
        assert!(message(0, 0).contains("a"), "one class alone");
    }
}
