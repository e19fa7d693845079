//! Tasks of a program's own that cannot be trained are refused before the first step.

mod common;

use std::sync::Arc;

use chiaro_data::Dataset;
use chiaro_graph::{DType, Graph, Reduction, Var};
use chiaro_nn::{Objective, TargetSpec, models};
use chiaro_train::{Guess, Measure, Result, Tally, Targets, Task, Trainer};
use common::{config, cpu, data};

/// A number is learnt of each image.
#[derive(Debug)]
struct Odd {
    filler: f64,
    /// Targets more or fewer than images.
    more: isize,
    measure: &'static str,
}

const GOOD: Odd = Odd { filler: -1.0, more: 0, measure: "error" };

impl Objective for Odd {
    fn target(&self, _outputs: usize) -> TargetSpec {
        TargetSpec { name: "number", shape: vec![1], dtype: DType::F32, filler: self.filler }
    }

    fn loss(&self, graph: &mut Graph, outputs: Var, targets: Var) -> chiaro_nn::Result<Var> {
        Ok(graph.mse_loss(outputs, targets, Reduction::Mean)?)
    }

    fn sums(&self, _: &mut Graph, _: Var, _: Var) -> chiaro_nn::Result<Vec<Var>> {
        Ok(vec![])
    }
}

struct Nothing;

impl Tally for Nothing {
    fn add(&mut self, _: &[f32], _: &[f64]) {}

    fn measures(&self) -> Vec<f64> {
        vec![0.5]
    }

    fn report(&self) -> String {
        String::new()
    }
}

impl Task for Odd {
    fn name(&self) -> &str {
        "odd"
    }

    fn outputs(&self, _classes: usize) -> usize {
        1
    }

    fn targets(&self, set: &dyn Dataset) -> Result<Targets> {
        let count = set.len().checked_add_signed(self.more).expect("some are left");
        Targets::rows(1, (0..count).map(|i| i as f32 / 100.0).collect())
    }

    fn measures(&self) -> Vec<Measure> {
        vec![]
    }

    fn eval_measures(&self) -> Vec<Measure> {
        vec![Measure::share(self.measure)]
    }

    fn judges_outputs(&self) -> bool {
        true
    }

    fn tally(&self, _: &[String]) -> Box<dyn Tally> {
        Box::new(Nothing)
    }

    fn predict(&self, _: &[f64], _: &[String]) -> Vec<Guess> {
        vec![]
    }
}

fn built(task: Odd) -> Result<Trainer> {
    let (data, config) = (data(), config(1));
    let model = models::by_name(&config.model, 1, [8, 8, 1]).expect("fits");
    Trainer::for_task(cpu(), &model, &data, &config, Arc::new(task))
}

fn refused(task: Odd) -> String {
    built(task).err().expect("refused").to_string()
}

#[test]
fn a_task_with_fewer_or_more_targets_than_images_is_refused_with_both_counts() {
    assert!(built(GOOD).is_ok());
    assert!(refused(Odd { more: -20, ..GOOD }).contains("30 targets for 50 images"));
    assert!(refused(Odd { more: 7, ..GOOD }).contains("57 targets for 50 images"));
}

#[test]
fn a_filler_that_is_nan_is_refused() {
    assert!(refused(Odd { filler: f64::NAN, ..GOOD }).contains("the filler NaN"));
}

#[test]
fn a_measure_is_refused_whose_name_files_cannot_hold() {
    for measure in ["loss", "epoch", "a,b", "two\nlines", "two\rlines", ""] {
        let error = refused(Odd { measure, ..GOOD });
        assert!(error.contains(&format!("the task \"odd\" has a measure named {measure:?}")), "{error}");
    }
}
