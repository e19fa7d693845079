//! Multi-label classification: each image shows any of the classes, one, several, or none.

use std::sync::Arc;

use chiaro_data::Dataset;
use chiaro_graph::{DType, Elementwise, Graph, Reduction, Tensor, Var};
use chiaro_nn::{Objective, TargetSpec};

use super::class_tally::{FEWEST, KEPT};
use super::{Calibration, Guess, Measure, NamedTask, Tally, Targets, Task};
use crate::error::{Result, TrainError};
use crate::metrics::{self, ClassMetrics, average_precision, fit_temperature_of_several, threshold_that_keeps};
use crate::settings::{ClassWeights, LossName, TrainConfig};

/// What an image shows that shows none of the classes.
pub(super) const NOTHING: &str = "none";

/// The name of the task.
pub(crate) const NAME: &str = "multi-label";

pub(super) const NAMED: NamedTask = NamedTask {
    name: NAME,
    help: "Each image shows any of the classes",
    settings: &["loss", "focal_gamma", "class_weights"],
    make: |config| {
        let focal = (config.loss == LossName::Focal).then_some(config.focal_gamma);
        Arc::new(MultiLabel { focal, positive_weights: None })
    },
};

/// Binary cross-entropy of a logit a class, the mean over classes; in training each may count by how right it is already, and what is
/// shown more than what is not. Targets are the data set's values: 1 for a class that the image
/// shows, 0 for others. Measured are the average precision of each class, of which the mean judges, and the share of right
/// decisions where a class counts as shown from a probability of one half on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MultiLabel {
    /// The power of the focal loss (arXiv:1708.02002): each cross-entropy times (1 - p)^power, p being the probability of what is so.
    pub focal: Option<f64>,
    /// How much it counts in training that an image shows each class, beside 1 where it does not.
    pub positive_weights: Option<Vec<f32>>,
}

impl MultiLabel {
    /// The factor of each cross-entropy in the focal loss, from these without weights.
    fn focal(graph: &mut Graph, losses: Var, power: f64) -> chiaro_nn::Result<Var> {
        let minus = graph.unary(Elementwise::Neg, losses)?;
        let right = graph.unary(Elementwise::Exp, minus)?;
        let minus = graph.unary(Elementwise::Neg, right)?;
        // Rounding must not make it negative, whose power is NaN; where it is 0 the power's slope is infinite.
        let missing = graph.map_scalars(Elementwise::Add, minus, &[1.0])?;
        let missing = graph.map_scalars(Elementwise::Maximum, missing, &[1e-7])?;
        Ok(graph.powf(missing, power)?)
    }

    /// A number for each row that counts, the mean of `values` `[N,classes]` over the classes, all added up.
    fn sum_of_rows(&self, graph: &mut Graph, values: Var, targets: Var) -> chiaro_nn::Result<Var> {
        let rows = graph.mean(values, &[1], false)?;
        let counts = self.rows_that_count(graph, values, targets)?;
        // A row that does not count may hold anything.
        let counted = graph.mul(rows, counts)?;
        Ok(graph.sum_all(counted)?)
    }
}

impl Objective for MultiLabel {
    fn target(&self, outputs: usize) -> TargetSpec {
        TargetSpec { name: "shown", shape: vec![outputs], dtype: DType::F32, filler: -1.0 }
    }

    fn loss(&self, graph: &mut Graph, outputs: Var, targets: Var) -> chiaro_nn::Result<Var> {
        let classes = graph.shape(outputs).last().copied().unwrap_or(1);
        let weights = self.positive_weights.clone().and_then(|weights| Tensor::f32([1, classes], weights));
        let weights = weights.map(|weights| graph.constant(weights)).transpose()?;
        let mut losses = graph.bce_with_logits(outputs, targets, weights, Reduction::None)?;
        if let Some(power) = self.focal {
            let plain = graph.bce_with_logits(outputs, targets, None, Reduction::None)?;
            let factor = Self::focal(graph, plain, power)?;
            losses = graph.mul(losses, factor)?;
        }
        let (sum, rows) = (self.sum_of_rows(graph, losses, targets)?, self.counted(graph, outputs, targets)?);
        Ok(graph.div(sum, rows)?)
    }

    fn loss_sum(&self, graph: &mut Graph, outputs: Var, targets: Var) -> chiaro_nn::Result<Var> {
        let losses = graph.bce_with_logits(outputs, targets, None, Reduction::None)?;
        self.sum_of_rows(graph, losses, targets)
    }

    fn sums(&self, graph: &mut Graph, outputs: Var, targets: Var) -> chiaro_nn::Result<Vec<Var>> {
        let said = graph.map_scalars(Elementwise::Greater, outputs, &[0.0])?;
        let said = graph.cast(said, DType::F32)?;
        let right = graph.map(Elementwise::Equal, &[said, targets])?;
        let right = graph.cast(right, DType::F32)?;
        Ok(vec![self.sum_of_rows(graph, right, targets)?])
    }
}

impl Task for MultiLabel {
    fn name(&self) -> &str {
        NAME
    }

    fn targets(&self, set: &dyn Dataset) -> Result<Targets> {
        let classes = set.classes().len();
        let mut values = Vec::with_capacity(set.len() * classes);
        for image in 0..set.len() {
            let shown = set.values(image);
            if shown.len() != classes || shown.iter().any(|value| *value != 0.0 && *value != 1.0) {
                return Err(TrainError::setting(format!(
                    "image {image} has the values {shown:?}, but {NAME} needs 0 or 1 for each of {classes} classes"
                )));
            }
            values.extend_from_slice(shown);
        }
        Targets::rows(classes, values)
    }

    /// Balanced weights are the images that do not show the class by those that do, and 1 for a class that all or none show.
    fn fitted(&self, config: &TrainConfig, train: &dyn Dataset) -> Result<Option<Arc<dyn Task>>> {
        let counts = self.class_counts(train);
        let weights = match &config.class_weights {
            None => return Ok(None),
            Some(ClassWeights::Balanced) => {
                let rest = |shown: &usize| train.len().saturating_sub(*shown);
                let weight = |n: &usize| if *n == 0 || rest(n) == 0 { 1.0 } else { rest(n) as f32 / *n as f32 };
                counts.iter().map(weight).collect()
            }
            Some(given @ ClassWeights::Given(_)) => given.of(&counts).map_err(TrainError::Setting)?,
        };
        Ok(Some(Arc::new(MultiLabel { positive_weights: Some(weights), ..self.clone() })))
    }

    fn check_data(&self, train: &dyn Dataset, eval: &dyn Dataset) -> Result<()> {
        self.targets(train)?;
        self.targets(eval)?;
        Ok(())
    }

    fn class_counts(&self, set: &dyn Dataset) -> Vec<usize> {
        let shows = |class: usize| (0..set.len()).filter(|&image| set.values(image).get(class) == Some(&1.0)).count();
        (0..set.classes().len()).map(shows).collect()
    }

    fn shown(&self, set: &dyn Dataset, image: usize) -> Vec<usize> {
        let values = set.values(image).iter().enumerate();
        values.filter(|(_, value)| **value > 0.5).map(|(class, _)| class).collect()
    }

    fn said(&self, guesses: &[Guess]) -> Vec<usize> {
        let mut said: Vec<usize> = guesses.iter().filter(|guess| guess.value > 0.5).map(|guess| guess.class).collect();
        said.sort_unstable();
        said
    }

    fn target_words(&self, target: &[f64], classes: &[String]) -> String {
        let shown = classes.iter().zip(target).filter(|(_, value)| **value > 0.5);
        let names: Vec<&str> = shown.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() { NOTHING.to_string() } else { names.join(", ") }
    }

    fn measures(&self) -> Vec<Measure> {
        vec![Measure::share("accuracy")]
    }

    fn eval_measures(&self) -> Vec<Measure> {
        vec![Measure::share("map"), Measure::share("accuracy")]
    }

    fn judges_outputs(&self) -> bool {
        true
    }

    fn tally(&self, classes: &[String]) -> Box<dyn Tally> {
        Box::new(Precisions { classes: classes.to_vec(), logits: vec![], shown: vec![], temperature: 1.0 })
    }

    fn predict(&self, outputs: &[f64], classes: &[String]) -> Vec<Guess> {
        let probabilities: Vec<f64> = outputs.iter().map(|logit| sigmoid(*logit)).collect();
        Guess::ranked(classes, &probabilities)
    }
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// The logits of every image with whether it shows the class, image by image.
#[derive(Clone, Debug)]
pub struct Precisions {
    classes: Vec<String>,
    logits: Vec<f32>,
    shown: Vec<bool>,
    temperature: f64,
}

impl Precisions {
    /// The average precision of each class; `None` for a class that no image shows.
    pub fn of_classes(&self) -> Vec<Option<f64>> {
        let classes = self.classes.len();
        let of = |class: usize| {
            let scores = self.logits.iter().skip(class).step_by(classes).map(|logit| f64::from(*logit));
            let shown: Vec<bool> = self.shown.iter().skip(class).step_by(classes).copied().collect();
            average_precision(&scores.collect::<Vec<f64>>(), &shown)
        };
        (0..classes).map(of).collect()
    }

    fn probabilities(&self, temperature: f64) -> Vec<f64> {
        self.logits.iter().map(|logit| sigmoid(f64::from(*logit) / temperature)).collect()
    }
}

impl Tally for Precisions {
    fn add(&mut self, outputs: &[f32], target: &[f64]) {
        self.logits.extend_from_slice(outputs);
        self.shown.extend(target.iter().map(|target| *target > 0.5));
    }

    fn measures(&self) -> Vec<f64> {
        let known: Vec<f64> = self.of_classes().into_iter().flatten().collect();
        let decisions = self.logits.iter().zip(&self.shown);
        let right = decisions.filter(|(output, shown)| (**output > 0.0) == **shown).count();
        vec![known.iter().sum::<f64>() / known.len() as f64, right as f64 / self.shown.len() as f64]
    }

    fn report(&self) -> String {
        self.metrics().map_or(String::new(), |metrics| metrics::table(&metrics, &self.classes))
    }

    /// The threshold is that of the most probable class of images that show it.
    fn calibration(&self) -> Option<Calibration> {
        let found = fit_temperature_of_several(&self.logits, &self.shown)?;
        let temperature = if self.shown.len() / self.classes.len() < FEWEST { 1.0 } else { found };
        let (p, classes) = (self.probabilities(temperature), self.classes.len());
        let images = p.chunks_exact(classes).zip(self.shown.chunks_exact(classes));
        let sure = images.filter_map(|(row, shown)| {
            let first = metrics::largest(row);
            shown[first].then_some(row[first])
        });
        Some(Calibration { temperature, unknown_below: threshold_that_keeps(KEPT, &sure.collect::<Vec<f64>>()) })
    }

    fn outputs(&self) -> &[f32] {
        &self.logits
    }

    fn set_temperature(&mut self, temperature: f64) {
        self.temperature = temperature;
    }

    fn metrics(&self) -> Option<ClassMetrics> {
        ClassMetrics::of_several(&self.probabilities(self.temperature), &self.shown, self.classes.len()).ok()
    }
}
