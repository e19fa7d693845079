//! Multi-label classification: each image shows any of the classes, one, several, or none.

use std::sync::Arc;

use chiaro_data::Dataset;
use chiaro_graph::{DType, Elementwise, Graph, Reduction, Var};
use chiaro_nn::{Objective, TargetSpec};

use super::{Guess, Measure, NamedTask, Tally, Targets, Task};
use crate::error::{Result, TrainError};

/// The name of the task.
pub(crate) const NAME: &str = "multi-label";

pub(super) const NAMED: NamedTask = NamedTask {
    name: NAME,
    help: "Each image shows any of the classes",
    settings: &[],
    make: |_| Arc::new(MultiLabel),
};

/// Binary cross-entropy of a logit a class, the mean over classes. Targets are the data set's values: 1 for a class that the image
/// shows, 0 for others. Measured are the average precision of each class, of which the mean judges, and the share of right
/// decisions where a class counts as shown from a probability of one half on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MultiLabel;

impl MultiLabel {
    /// A number for each row that counts, the mean of `values` `[N,classes]` over the classes, all added up.
    fn sum_of_rows(self, graph: &mut Graph, values: Var, targets: Var) -> chiaro_nn::Result<Var> {
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
        let (sum, rows) = (self.loss_sum(graph, outputs, targets)?, self.counted(graph, outputs, targets)?);
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
        Box::new(Precisions { classes: classes.to_vec(), seen: vec![vec![]; classes.len()] })
    }

    fn predict(&self, outputs: &[f64], classes: &[String]) -> Vec<Guess> {
        let probabilities: Vec<f64> = outputs.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect();
        Guess::ranked(classes, &probabilities)
    }
}

/// The logits of every image with whether it shows the class, class by class.
#[derive(Clone, Debug)]
pub struct Precisions {
    classes: Vec<String>,
    seen: Vec<Vec<(f32, bool)>>,
}

impl Precisions {
    /// The average precision of each class; `None` for a class that no image shows.
    pub fn of_classes(&self) -> Vec<Option<f64>> {
        self.seen.iter().map(|seen| average_precision(seen)).collect()
    }
}

impl Tally for Precisions {
    fn add(&mut self, outputs: &[f32], target: &[f64]) {
        for ((seen, output), target) in self.seen.iter_mut().zip(outputs).zip(target) {
            seen.push((*output, *target > 0.5));
        }
    }

    fn measures(&self) -> Vec<f64> {
        let known: Vec<f64> = self.of_classes().into_iter().flatten().collect();
        let decisions = self.seen.iter().flatten();
        let right = decisions.clone().filter(|(output, shown)| (*output > 0.0) == *shown).count();
        vec![known.iter().sum::<f64>() / known.len() as f64, right as f64 / decisions.count() as f64]
    }

    fn report(&self) -> String {
        let width = self.classes.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
        let mut text = format!("{:<width$}  {:>8}  {:>17}", "class", "shown in", "average precision");
        for ((name, seen), precision) in self.classes.iter().zip(&self.seen).zip(self.of_classes()) {
            let shown = seen.iter().filter(|(_, shown)| *shown).count();
            let precision = precision.map_or("-".to_string(), |share| format!("{:.2} %", share * 100.0));
            text += &format!("\n{name:<width$}  {shown:>8}  {precision:>17}");
        }
        text
    }
}

/// Average precision of a ranking, the sum over its thresholds of precision times what recall gains there, as scikit-learn has it:
/// equal scores are one threshold. `None` without a positive; NaN where a score is none, since nothing can be ranked then.
fn average_precision(seen: &[(f32, bool)]) -> Option<f64> {
    let positives = seen.iter().filter(|(_, shown)| *shown).count();
    if positives == 0 {
        return None;
    }
    if seen.iter().any(|(score, _)| score.is_nan()) {
        return Some(f64::NAN);
    }
    let mut ranked = seen.to_vec();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut taken, mut found, mut area) = (0, 0, 0.0);
    for equal in ranked.chunk_by(|a, b| a.0 == b.0) {
        let gained = equal.iter().filter(|(_, shown)| *shown).count();
        taken += equal.len();
        found += gained;
        area += found as f64 / taken as f64 * gained as f64 / positives as f64;
    }
    Some(area)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_precision_is_that_of_the_ranking_by_hand() {
        let ap = |list: &[(f32, i32)]| average_precision(&list.iter().map(|(s, t)| (*s, *t == 1)).collect::<Vec<_>>());
        // Hits at places 1, 3 and 4 of 5: (1/1 + 2/3 + 3/4) / 3.
        let mixed = [(0.3, 1), (0.9, 1), (0.8, 0), (0.5, 1), (0.1, 0)];
        assert!((ap(&mixed).expect("positives") - (1.0 + 2.0 / 3.0 + 0.75) / 3.0).abs() < 1e-12);
        // Two of three with one score, one of them a hit, are one threshold of precision 2/3 that gains half of the recall.
        let tied = [(0.9, 1), (0.4, 0), (0.4, 1), (0.1, 0)];
        assert!((ap(&tied).expect("positives") - (0.5 * 1.0 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
        // Whichever of the two comes first.
        let turned = [(0.9, 1), (0.4, 1), (0.4, 0), (0.1, 0)];
        assert_eq!(ap(&turned), ap(&tied));
        // Scores that are none rank nothing, whichever image comes first.
        assert!(ap(&[(f32::NAN, 1), (f32::NAN, 0)]).expect("positives").is_nan());
        // All equal: the share of positives.
        assert_eq!(ap(&[(0.5, 1), (0.5, 0), (0.5, 0), (0.5, 0)]), Some(0.25));
        assert_eq!(ap(&[(1.0, 1), (0.5, 1), (0.0, 0)]), Some(1.0));
        assert_eq!(ap(&[(1.0, 0)]), None);
    }
}
