//! Running a model over a data set: loss and accuracy, and the confusion matrix.

use std::sync::Arc;

use chiaro_data::{Batch, Dataset, Loader, LoaderOptions, Normalize};
use chiaro_graph::{Backend, DType, PlanId, Tensor};
use chiaro_nn::{EvalStep, METRICS, Metrics, Model};

use crate::confusion::Confusion;
use crate::error::{Result, TrainError};

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

/// An evaluation step compiled for a backend, with the data it runs over.
pub struct Evaluator {
    step: EvalStep,
    plan: PlanId,
    loader: Loader,
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
        batch: usize,
        threads: Option<usize>,
    ) -> Result<Evaluator> {
        let step = EvalStep::build(model, batch)?;
        let plan = backend.compile(&step.graph)?;
        let options = LoaderOptions { threads, ..LoaderOptions::evaluation(batch) };
        let loader = Loader::new(Arc::clone(dataset), normalize.clone(), options)?;
        Ok(Evaluator { step, plan, loader })
    }

    /// The step's graph and declarations.
    pub fn step(&self) -> &EvalStep {
        &self.step
    }

    /// How many batches there are.
    pub fn batches(&self) -> usize {
        self.loader.batches()
    }

    /// Loss and accuracy. `go_on` is called after each batch with the number done; `None` comes back if it says no.
    ///
    /// # Errors
    /// If data cannot be loaded or the device fails.
    pub fn run(&self, backend: &mut dyn Backend, mut go_on: impl FnMut(usize) -> bool) -> Result<Option<Evaluation>> {
        clear_metrics(backend)?;
        for (number, batch) in self.loader.epoch(0)?.enumerate() {
            let inputs = self.inputs(batch?)?;
            backend.run(self.plan, &inputs)?;
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
        let classes = self.loader.dataset().classes();
        let mut confusion = Confusion::new(classes.to_vec());
        let mut metrics = Metrics::default();
        for (number, batch) in self.loader.epoch(0)?.enumerate() {
            let batch = batch?;
            let (valid, labels) = (batch.valid, batch.labels.clone());
            backend.run(self.plan, &self.inputs(batch)?)?;
            let logits = backend.read(self.plan, 0)?;
            let rows = logits.as_f32().unwrap_or(&[]).chunks_exact(classes.len().max(1));
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

    fn inputs(&self, mut batch: Batch) -> Result<Vec<Tensor>> {
        let valid = batch.valid;
        batch.labels[valid..].fill(EvalStep::IGNORED);
        let [images, labels] = tensors(&mut batch, self.loader.dataset().image_shape())?;
        Ok(vec![images, labels])
    }
}

/// Images and labels of a batch as tensors; the batch is left empty.
pub(crate) fn tensors(batch: &mut Batch, [h, w, c]: [usize; 3]) -> Result<[Tensor; 2]> {
    let n = batch.labels.len();
    let images = Tensor::f32([n, h, w, c], std::mem::take(&mut batch.images));
    let labels = Tensor::i32([n], std::mem::take(&mut batch.labels));
    match (images, labels) {
        (Some(images), Some(labels)) => Ok([images, labels]),
        _ => Err(TrainError::setting(format!("the loader's batch of {n} has not the shape [{n}, {h}, {w}, {c}]"))),
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
