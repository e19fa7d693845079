//! Running a model over a data set: loss, measures, and the task's tally.

use std::sync::Arc;

use chiaro_data::{Dataset, LoaderOptions, Normalize};
use chiaro_graph::{Backend, DType, PlanId, Tensor};
use chiaro_nn::{Augment, EvalStep, ImageInput, METRICS, Metrics, Model, Views};

use crate::alone::at_once;
use crate::error::{Result, TrainError};
use crate::feed::Feed;
use crate::lease::{self, Lease};
use crate::place::{DataPlace, pixels};
use crate::scores::Scores;
use crate::task::{self, Tally, Targets, Task};

/// What came out over a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss of a sample and what the task measures.
    pub scores: Scores,
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
    /// The views of each image whose outputs are averaged.
    pub views: Views,
}

/// An evaluation step compiled for a backend, with the data it runs over.
pub struct Evaluator {
    step: EvalStep,
    plan: PlanId,
    feed: Feed,
    /// How its images reach a step.
    images: ImageInput,
    place: DataPlace,
    task: Arc<dyn Task>,
    classes: Vec<String>,
    /// Sums of the task on the device.
    sums: usize,
    /// What the target of a row is that does not count.
    filler: f64,
}

impl Evaluator {
    /// Compiles the step. Parameters are those in the backend's arenas.
    ///
    /// # Errors
    /// If the model does not fit the images or the device, the set has not what the task needs, or a setting of the loader is
    /// wrong.
    pub fn new(
        backend: &mut dyn Backend,
        task: &Arc<dyn Task>,
        model: &Model,
        dataset: &Arc<dyn Dataset>,
        normalize: &Normalize,
        options: EvalOptions,
    ) -> Result<Evaluator> {
        task::check(&**task, model.classes)?;
        let EvalOptions { batch, threads, resident, views } = options;
        let batch = at_once(model, batch);
        let place = DataPlace::of(&**dataset, backend, resident);
        let resident = place.resident(&**dataset, "eval");
        let images = pixels(normalize, Augment::default(), resident.clone());
        let step = EvalStep::with_views(model, batch, &images, &**task, views)?;
        let plan = backend.compile(&step.graph)?;
        let options = LoaderOptions { threads, ..LoaderOptions::evaluation(batch) };
        let targets = task.targets(&**dataset);
        let feed = targets.and_then(|targets| Feed::new(backend, dataset, targets, options, resident.as_ref()));
        let feed = match feed {
            Ok(feed) => feed,
            Err(error) => {
                lease::release(backend, plan, &step.graph);
                return Err(error);
            }
        };
        let (sums, filler) = (Metrics::sums_in(&step.graph), task.target(model.classes).filler);
        let (task, classes) = (Arc::clone(task), dataset.classes().to_vec());
        Ok(Evaluator { step, plan, feed, images, place, task, classes, sums, filler })
    }

    /// Gives the backend back what the step and the images have of it.
    pub fn release(self, backend: &mut dyn Backend) {
        lease::release(backend, self.plan, &self.step.graph);
    }

    /// The same when a lease ends.
    pub(crate) fn held_by(&self, lease: &mut Lease) {
        lease.hold(self.plan, &self.step.graph);
    }

    /// The targets of the set's images.
    pub(crate) fn targets(&self) -> &Targets {
        self.feed.targets()
    }

    /// How its images reach a step.
    pub(crate) fn images(&self) -> &ImageInput {
        &self.images
    }

    /// These images as such a step takes them.
    pub(crate) fn some_images(&self, rows: &[usize]) -> Result<Tensor> {
        self.feed.some(rows)
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

    /// Loss and measures. `go_on` is called after each batch with the number done; `None` comes back if it says no.
    ///
    /// # Errors
    /// If data cannot be loaded or the device fails.
    pub fn run(&self, backend: &mut dyn Backend, go_on: impl FnMut(usize) -> bool) -> Result<Option<Evaluation>> {
        let mut tally = self.task.judges_outputs().then(|| self.task.tally(&self.classes));
        let metrics = self.over_batches(backend, tally.as_deref_mut(), go_on)?;
        Ok(metrics.map(|metrics| self.evaluation(&metrics, tally.as_deref())))
    }

    /// The same with the task's tally of every output, which is read back.
    ///
    /// # Errors
    /// If data cannot be loaded or the device fails.
    pub fn tally(
        &self,
        backend: &mut dyn Backend,
        mut progress: impl FnMut(usize),
    ) -> Result<(Evaluation, Box<dyn Tally>)> {
        let told = |batch| {
            progress(batch);
            true
        };
        let stopped = || TrainError::setting("an evaluation that nobody stops has ended before its end");
        self.tally_while(backend, told)?.ok_or_else(stopped)
    }

    /// The same as long as it is to go on; `None` where it was not.
    pub(crate) fn tally_while(
        &self,
        backend: &mut dyn Backend,
        go_on: impl FnMut(usize) -> bool,
    ) -> Result<Option<(Evaluation, Box<dyn Tally>)>> {
        let mut tally = self.task.tally(&self.classes);
        let Some(metrics) = self.over_batches(backend, Some(&mut *tally), go_on)? else { return Ok(None) };
        let counted = self.task.judges_outputs().then_some(&*tally);
        Ok(Some((self.evaluation(&metrics, counted), tally)))
    }

    /// What the device added up; `None` where it was not to go on. A tally is shown the outputs. Sums that a trainer on the same
    /// device has not read yet are put back behind it.
    fn over_batches(
        &self,
        backend: &mut dyn Backend,
        tally: Option<&mut dyn Tally>,
        go_on: impl FnMut(usize) -> bool,
    ) -> Result<Option<Metrics>> {
        let unread = backend.read_arena(METRICS)?;
        backend.write_arena(METRICS, &Tensor::zeros(unread.shape(), DType::F32))?;
        let metrics = self.added_up(backend, tally, go_on)?;
        if unread.to_f64().iter().any(|sum| *sum != 0.0) {
            backend.write_arena(METRICS, &unread)?;
        }
        Ok(metrics)
    }

    /// The same from an arena of sums that is clear.
    fn added_up(
        &self,
        backend: &mut dyn Backend,
        mut tally: Option<&mut dyn Tally>,
        mut go_on: impl FnMut(usize) -> bool,
    ) -> Result<Option<Metrics>> {
        let targets = self.feed.targets();
        let mut metrics = Metrics::default();
        for (number, batch) in self.feed.epoch(0, 0)?.enumerate() {
            let batch = batch?;
            let (rows, valid) = (batch.rows.clone(), batch.valid);
            backend.run(self.plan, &batch.into_tensors(targets, self.filler)?)?;
            if let Some(tally) = &mut tally {
                let outputs = backend.read(self.plan, 0)?;
                let width = outputs.shape().last().copied().unwrap_or(1);
                let outputs = outputs.as_f32().unwrap_or(&[]).chunks_exact(width);
                outputs.zip(&rows).take(valid).for_each(|(outputs, &row)| tally.add(outputs, &targets.row(row)));
                metrics = metrics.plus(&take_metrics(backend, self.sums)?);
            }
            if !go_on(number + 1) {
                return Ok(None);
            }
        }
        Ok(Some(metrics.plus(&take_metrics(backend, self.sums)?)))
    }

    fn evaluation(&self, metrics: &Metrics, tally: Option<&dyn Tally>) -> Evaluation {
        // A sum that left out non-finite losses would look like a good one.
        let loss = if metrics.non_finite > 0.0 { f64::NAN } else { metrics.loss() };
        let measures = self.task.eval_measures();
        let values = tally.map_or_else(|| self.task.measured(metrics), Tally::measures);
        Evaluation { scores: Scores::new(loss, &measures, values), samples: metrics.samples as usize }
    }
}

/// Reads the metrics since the last clearing, of an objective with so many sums, and clears them.
pub(crate) fn take_metrics(backend: &mut dyn Backend, sums: usize) -> Result<Metrics> {
    let flat = backend.read_arena(METRICS)?;
    let metrics = Metrics::from_arena(&flat, sums)
        .ok_or_else(|| TrainError::setting(format!("the arena {METRICS:?} has only {:?} values", flat.shape())))?;
    backend.write_arena(METRICS, &Tensor::zeros(flat.shape(), DType::F32))?;
    Ok(metrics)
}
