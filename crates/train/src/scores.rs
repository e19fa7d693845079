//! Loss and measures of a run or an evaluation.

use chiaro_nn::Metrics;

use crate::task::{Measure, Task};

/// Mean loss of a sample, and what the task measures.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Mean loss of a sample.
    pub loss: f64,
    /// The task's measures by name, in its order.
    pub measures: Vec<(String, f64)>,
}

impl Scores {
    /// A measure by its name; NaN where the task has none of this name.
    pub fn get(&self, name: &str) -> f64 {
        self.measures.iter().find(|(known, _)| known == name).map_or(f64::NAN, |(_, value)| *value)
    }

    /// What epochs are judged by: the first measure, the loss where there is none.
    pub(crate) fn judged(&self) -> f64 {
        self.measures.first().map_or(self.loss, |(_, value)| *value)
    }

    /// Loss and measures, as a line shows them: `loss 0.1234, accuracy 98.21 %`, each behind `prefix`.
    pub fn shown(&self, measures: &[Measure], prefix: &str) -> String {
        let loss = Measure::LOSS.shown(self.loss);
        let others = measures.iter().filter(|measure| !measure.aside);
        let others = others.map(|measure| measure.shown(self.get(measure.name)));
        let parts: Vec<String> = [loss].into_iter().chain(others).map(|part| format!("{prefix}{part}")).collect();
        parts.join(", ")
    }

    pub(crate) fn new(loss: f64, measures: &[Measure], values: Vec<f64>) -> Scores {
        let names = measures.iter().map(|measure| measure.name.to_string());
        Scores { loss, measures: names.zip(values).collect() }
    }

    /// What the device added up while training.
    pub(crate) fn of_training(task: &dyn Task, metrics: &Metrics) -> Scores {
        Scores::new(metrics.loss(), &task.measures(), task.measured(metrics))
    }
}
