//! Running a model over a data set: loss and accuracy, and the confusion matrix.

use std::sync::Arc;

use chiaro_data::{Dataset, LoaderOptions, Normalize};
use chiaro_graph::{Backend, DType, PlanId, Tensor};
use chiaro_nn::{Augment, EvalStep, METRICS, Metrics, Model};

use crate::confusion::Confusion;
use crate::error::{Result, TrainError};
use crate::feed::Feed;
use crate::place::{DataPlace, pixels};

/// Loss and accuracy over a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean cross-entropy of a sample.
    pub loss: f64,
    /// Share of samples classified correctly, in 0..=1.
    pub accuracy: f64,
    /// Samples.
    pub samples: usize,
}

/// How a data set is run over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvalOptions {
    /// Images a step.
    pub batch: usize,
    /// Threads that load data; absent: chosen by the data set.
    pub threads: Option<usize>,
    /// Bring the whole set to the device if it fits: worth it where it is run over more than once.
    pub resident: bool,
}

/// An evaluation step compiled for a backend, with the data it runs over.
pub struct Evaluator {
    step: EvalStep,
    plan: PlanId,
    feed: Feed,
    place: DataPlace,
    classes: Vec<String>,
}

impl Evaluator {
    /// Compiles the step. Parameters are those in the backend's arenas.
    ///
    /// # Errors
    /// If the model does not fit the images or the device, or a setting of the loader is wrong.
    pub fn new(
        backend: &mut dyn Backend,
        model: &Model,
        dataset: &Arc<dyn Dataset>,
        normalize: &Normalize,
        options: EvalOptions,
    ) -> Result<Evaluator> {
        let EvalOptions { batch, threads, resident } = options;
        let place = DataPlace::of(&**dataset, backend, resident);
        let resident = place.resident(&**dataset, "eval");
        let step = EvalStep::with_input(model, batch, &pixels(normalize, Augment::default(), resident.clone()))?;
        let plan = backend.compile(&step.graph)?;
        let options = LoaderOptions { threads, ..LoaderOptions::evaluation(batch) };
        let feed = Feed::new(backend, dataset, options, resident.as_ref())?;
        Ok(Evaluator { step, plan, feed, place, classes: dataset.classes().to_vec() })
    }

    /// Where the images are.
    pub fn data_place(&self) -> DataPlace {
        self.place
    }

    /// The step's graph and declarations.
    pub fn step(&self) -> &EvalStep {
        &self.step
    }

    /// How many batches there are.
    pub fn batches(&self) -> usize {
        self.feed.batches()
    }

    /// Loss and accuracy. `go_on` is called after each batch with the number done; `None` comes back if it says no.
    ///
    /// # Errors
    /// If data cannot be loaded or the device fails.
    pub fn run(&self, backend: &mut dyn Backend, mut go_on: impl FnMut(usize) -> bool) -> Result<Option<Evaluation>> {
        clear_metrics(backend)?;
        for (number, batch) in self.feed.epoch(0, 0)?.enumerate() {
            backend.run(self.plan, &batch?.into_evaluated()?)?;
            if !go_on(number + 1) {
                return Ok(None);
            }
        }
        let metrics = take_metrics(backend)?;
        // A sum that left out non-finite losses would look like a good one.
        let loss = if metrics.non_finite > 0.0 { f64::NAN } else { metrics.loss() };
        Ok(Some(Evaluation { loss, accuracy: metrics.accuracy(), samples: metrics.samples as usize }))
    }

    /// The same with every prediction read back and counted by label.
    ///
    /// # Errors
    /// If data cannot be loaded or the device fails.
    pub fn confusion(
        &self,
        backend: &mut dyn Backend,
        mut progress: impl FnMut(usize),
    ) -> Result<(Evaluation, Confusion)> {
        clear_metrics(backend)?;
        let mut confusion = Confusion::new(self.classes.clone());
        let mut metrics = Metrics::default();
        for (number, batch) in self.feed.epoch(0, 0)?.enumerate() {
            let batch = batch?;
            let (valid, labels) = (batch.valid, batch.labels.clone());
            backend.run(self.plan, &batch.into_evaluated()?)?;
            let logits = backend.read(self.plan, 0)?;
            let rows = logits.as_f32().unwrap_or(&[]).chunks_exact(self.classes.len().max(1));
            for (row, &label) in rows.zip(&labels).take(valid) {
                confusion.count(label as usize, largest(row));
            }
            metrics = add(metrics, take_metrics(backend)?);
            progress(number + 1);
        }
        let loss = if metrics.non_finite > 0.0 { f64::NAN } else { metrics.loss() };
        let evaluation = Evaluation { loss, accuracy: metrics.accuracy(), samples: metrics.samples as usize };
        Ok((evaluation, confusion))
    }
}

/// Place of the first largest value; 0 where none is.
pub(crate) fn largest(row: &[f32]) -> usize {
    let mut best = 0;
    for (i, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = i;
        }
    }
    best
}

/// Reads the metrics since the last clearing and clears them.
pub(crate) fn take_metrics(backend: &mut dyn Backend) -> Result<Metrics> {
    let flat = backend.read_arena(METRICS)?;
    let metrics = Metrics::from_arena(&flat)
        .ok_or_else(|| TrainError::setting(format!("the arena {METRICS:?} has only {:?} values", flat.shape())))?;
    backend.write_arena(METRICS, &Tensor::zeros(flat.shape(), DType::F32))?;
    Ok(metrics)
}

fn clear_metrics(backend: &mut dyn Backend) -> Result<()> {
    take_metrics(backend).map(|_| ())
}

/// Two sums together.
pub(crate) fn add(a: Metrics, b: Metrics) -> Metrics {
    Metrics {
        loss_sum: a.loss_sum + b.loss_sum,
        correct: a.correct + b.correct,
        samples: a.samples + b.samples,
        non_finite: a.non_finite + b.non_finite,
    }
}

#[cfg(test)]
mod tests {
    use super::largest;

    #[test]
    fn of_equal_logits_the_first_is_the_class() {
        assert_eq!(largest(&[1.0, 1.0]), 0);
        assert_eq!(largest(&[-3.0, 2.0, 1.0, 2.0]), 1);
        assert_eq!(largest(&[f32::NAN, f32::NAN]), 0);
    }
}
