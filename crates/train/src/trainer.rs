//! The training loop: batches told by number or made by background threads, one run of the step's plan each, and few readings.

use std::time::Instant;

use chiaro_data::LoaderOptions;
use chiaro_graph::{Backend, BackendError, PlanId, Tensor};
use chiaro_io::{ModelInfo, read_arenas, save_weights};
use chiaro_nn::{Model, NnError, Schedule, TrainOptions, TrainStep};

use crate::config::{PrecisionName, Residency, TrainConfig};
use crate::data::Data;
use crate::error::{Result, TrainError};
use crate::evaluate::{EvalOptions, Evaluation, Evaluator, take_metrics};
use crate::feed::Feed;
use crate::folder::RunFolder;
use crate::observer::{EpochRecord, Event, Observer, Progress};
use crate::place::{DataPlace, pixels};
use crate::position::Position;
use crate::stop::Stop;
use crate::{recipe, weights};

/// The training set's name on the device.
const TRAIN: &str = "train";

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All epochs are done.
    Finished,
    /// A stop was asked for; where there is a run folder, its checkpoint holds everything to go on.
    Interrupted,
}

/// A model with its data on a device, ready to be trained.
pub struct Trainer<'b> {
    backend: &'b mut dyn Backend,
    config: TrainConfig,
    info: ModelInfo,
    step: TrainStep,
    plan: PlanId,
    evaluator: Evaluator,
    feed: Feed,
    place: DataPlace,
    schedule: Schedule,
    at: Position,
    records: Vec<EpochRecord>,
    ran: bool,
    /// Steps until one is profiled.
    profile_in: Option<usize>,
}

impl<'b> Trainer<'b> {
    /// Builds training and evaluation step, compiles them, and sets the initial values.
    ///
    /// # Errors
    /// If a setting is out of its range, the model does not fit the data, or the steps do not fit the device.
    pub fn new(backend: &'b mut dyn Backend, model: &Model, data: &Data, config: &TrainConfig) -> Result<Trainer<'b>> {
        config.check()?;
        if model.image != data.train.image_shape() || model.classes != data.classes() {
            return Err(TrainError::OtherData {
                found: format!("images of {:?} in {} classes", data.train.image_shape(), data.classes()),
                expected: format!("images of {:?} in {} classes", model.image, model.classes),
            });
        }
        let (batch, threads) = (config.batch_size, config.data_threads);
        let config = &TrainConfig { precision: config.precision.on(backend)?, ..config.clone() };
        let (step, plan, place) = compile(backend, model, data, config)?;
        let options = LoaderOptions { threads, ..LoaderOptions::training(batch, config.seed) };
        let resident = place.resident(&*data.train, TRAIN);
        let feed = Feed::new(backend, &data.train, options, resident.as_ref())?;
        let options = EvalOptions { batch, threads, resident: resident.is_some() };
        let evaluator = Evaluator::new(backend, model, &data.test, &data.normalize, options)?;
        for (name, values) in step.initial_arenas(config.seed) {
            backend.write_arena(&name, &values)?;
        }
        let schedule = recipe::schedule(config, feed.batches());
        Ok(Trainer {
            backend,
            config: config.clone(),
            info: data.model_info(&model.name),
            step,
            plan,
            place: place.with(evaluator.data_place()),
            evaluator,
            feed,
            schedule,
            at: Position::default(),
            records: vec![],
            ran: false,
            profile_in: None,
        })
    }

    /// Goes on where the checkpoint of a run folder was written.
    ///
    /// # Errors
    /// If the checkpoint cannot be read or is of another model or optimizer.
    pub fn resume(&mut self, folder: &RunFolder) -> Result<()> {
        let at = weights::load(&folder.checkpoint_path(), &self.info, self.backend, &self.step)?;
        if at.step_in_epoch > self.feed.batches() {
            let found = format!("{} steps an epoch", self.feed.batches());
            let expected = format!("at least {}", at.step_in_epoch);
            return Err(TrainError::OtherData { found, expected });
        }
        self.records = folder.metrics()?;
        self.records.retain(|record| record.epoch <= at.epoch);
        self.at = at;
        Ok(())
    }

    /// The settings, with the precision that the device decided on.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// Times the kernels of one step, after `before` others that warm the device up; the observer hears of it. The step
    /// itself is a step like all.
    pub fn profile_step(&mut self, before: usize) {
        self.profile_in = Some(before);
    }

    /// The training step.
    pub fn step(&self) -> &TrainStep {
        &self.step
    }

    /// Bytes of all buffers on the device, those of evaluation included.
    pub fn device_bytes(&self) -> u64 {
        self.backend.stats().bytes
    }

    /// Where the images are: once they are on the device, the data sets that the trainer was made with may go.
    pub fn data_place(&self) -> DataPlace {
        self.place
    }

    /// The backend.
    pub fn backend(&mut self) -> &mut dyn Backend {
        self.backend
    }

    /// Steps of an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.feed.batches()
    }

    /// Epochs that have ended.
    pub fn epochs_done(&self) -> usize {
        self.at.epoch
    }

    /// The epochs so far.
    pub fn records(&self) -> &[EpochRecord] {
        &self.records
    }

    /// The trained values by name: parameters, then running statistics.
    ///
    /// # Errors
    /// If the device fails.
    pub fn weights(&mut self) -> Result<Vec<(String, Tensor)>> {
        weights::read(self.backend, &self.step.graph)
    }

    /// Trains to the last epoch, evaluating after each. With a folder, every epoch is saved in it. After an error the folder's
    /// files are those of the last epoch that was saved.
    ///
    /// # Errors
    /// If data cannot be loaded, the device fails, the loss stops being finite, or a file cannot be written.
    pub fn fit(&mut self, folder: Option<&RunFolder>, observer: &mut dyn Observer, stop: &Stop) -> Result<Ending> {
        while self.at.epoch < self.config.epochs {
            let trained = self.train_epoch(observer, stop)?;
            let evaluated = if trained { self.evaluate(observer, stop)? } else { None };
            let Some(evaluation) = evaluated else {
                if let Some(folder) = folder {
                    let arenas = read_arenas(self.backend, &self.step.graph)?;
                    self.save_checkpoint(folder, &arenas)?;
                }
                return Ok(Ending::Interrupted);
            };
            self.end_epoch(folder, observer, evaluation)?;
        }
        Ok(Ending::Finished)
    }

    /// Whether the epoch was trained to its end.
    fn train_epoch(&mut self, observer: &mut dyn Observer, stop: &Stop) -> Result<bool> {
        let steps = self.feed.batches();
        let every = self.config.report_every.unwrap_or_else(|| steps.div_ceil(50)).max(1);
        let (started, seconds_before) = (Instant::now(), self.at.seconds);
        let mut step_started = started;
        let mut last_read = self.at.step_in_epoch;
        for batch in self.feed.epoch(self.at.epoch as u64, self.at.step_in_epoch)? {
            if stop.requested() {
                break;
            }
            let [images, labels] = batch?.into_tensors()?;
            let inputs = self.step.inputs(images, labels, self.config.seed, self.at.step, self.rate(self.at.step));
            self.run_step(&inputs, observer)?;
            self.at.step += 1;
            self.at.step_in_epoch += 1;
            if !self.ran || self.at.step_in_epoch.is_multiple_of(every) {
                self.read_metrics(last_read)?;
                last_read = self.at.step_in_epoch;
            }
            let now = Instant::now();
            if self.ran || steps == 1 {
                self.at.timed_steps += 1;
                self.at.timed_seconds += (now - step_started).as_secs_f64();
            }
            step_started = now;
            if !std::mem::replace(&mut self.ran, true) {
                observer.event(&Event::FirstStep);
            }
            observer.event(&Event::Step(self.progress(steps)));
        }
        if last_read < self.at.step_in_epoch {
            self.read_metrics(last_read)?;
            self.at.timed_seconds += step_started.elapsed().as_secs_f64();
        }
        self.at.seconds = seconds_before + started.elapsed().as_secs_f64();
        Ok(self.at.step_in_epoch == steps)
    }

    /// Runs a step, with its kernels timed where that was asked for.
    fn run_step(&mut self, inputs: &[Tensor], observer: &mut dyn Observer) -> Result<()> {
        match self.profile_in.take() {
            None => self.backend.run(self.plan, inputs)?,
            Some(0) => {
                let profile = self.backend.profile(self.plan, inputs)?;
                observer.event(&Event::Profiled(&profile));
            }
            Some(before) => {
                self.backend.run(self.plan, inputs)?;
                self.profile_in = Some(before - 1);
            }
        }
        Ok(())
    }

    fn rate(&self, step: u64) -> f64 {
        self.schedule.rate(self.config.lr, step)
    }

    fn progress(&self, steps: usize) -> Progress {
        let metrics = self.at.metrics();
        Progress {
            epoch: self.at.epoch + 1,
            epochs: self.config.epochs,
            step: self.at.step_in_epoch,
            steps,
            loss: metrics.loss(),
            accuracy: metrics.accuracy(),
            images_per_second: self.images_per_second(),
        }
    }

    fn images_per_second(&self) -> f64 {
        (self.at.timed_steps * self.config.batch_size) as f64 / self.at.timed_seconds.max(1e-9)
    }

    fn read_metrics(&mut self, last_read: usize) -> Result<()> {
        let metrics = take_metrics(self.backend)?;
        // In 16 bits a batch may overflow; its step was left out. Only where none is left does the run not go on.
        let steps = (self.at.step_in_epoch - last_read) as f64;
        let bearable = if self.config.precision == PrecisionName::F16 { steps - 1.0 } else { 0.0 };
        if metrics.non_finite > bearable {
            let lr = self.rate(self.at.step.saturating_sub(1));
            return Err(TrainError::NonFinite {
                epoch: self.at.epoch + 1,
                first: last_read + 1,
                last: self.at.step_in_epoch,
                lr,
                hint: non_finite_hint(&self.config, self.at.epoch),
            });
        }
        self.at.add(metrics);
        Ok(())
    }

    fn evaluate(&mut self, observer: &mut dyn Observer, stop: &Stop) -> Result<Option<Evaluation>> {
        let (started, batches) = (Instant::now(), self.evaluator.batches());
        let evaluation = self.evaluator.run(self.backend, |batch| {
            observer.event(&Event::Evaluating { batch, batches });
            batch == batches || !stop.requested()
        })?;
        self.at.seconds += started.elapsed().as_secs_f64();
        Ok(evaluation)
    }

    fn end_epoch(
        &mut self,
        folder: Option<&RunFolder>,
        observer: &mut dyn Observer,
        evaluation: Evaluation,
    ) -> Result<()> {
        let metrics = self.at.metrics();
        self.records.push(EpochRecord {
            epoch: self.at.epoch + 1,
            step: self.at.step,
            train_loss: metrics.loss(),
            train_accuracy: metrics.accuracy(),
            eval_loss: evaluation.loss,
            eval_accuracy: evaluation.accuracy,
            lr: self.rate(self.at.step.saturating_sub(1)),
            seconds: self.at.seconds,
            images_per_second: self.images_per_second(),
        });
        let best = self.at.best_accuracy.is_none_or(|best| evaluation.accuracy > best);
        if best {
            self.at.best_accuracy = Some(evaluation.accuracy);
        }
        self.at.next_epoch();
        if let Some(folder) = folder {
            let arenas = read_arenas(self.backend, &self.step.graph)?;
            if best {
                save_weights(&folder.best_path(), &self.info, &self.step.graph, &arenas)?;
            }
            save_weights(&folder.last_path(), &self.info, &self.step.graph, &arenas)?;
            // The checkpoint last: where it is older than the table, resuming leaves out the rows after it.
            folder.write_metrics(&self.records)?;
            self.save_checkpoint(folder, &arenas)?;
        }
        if let Some(record) = self.records.last() {
            observer.event(&Event::Epoch { record, best });
        }
        Ok(())
    }

    fn save_checkpoint(&self, folder: &RunFolder, arenas: &[(String, Tensor)]) -> Result<()> {
        let path = folder.checkpoint_path();
        weights::save(&path, &self.info, self.config.seed, &self.at, &self.step.graph, arenas)
    }
}

/// Records and compiles the training step, with the training set on the device if it has the room for both.
fn compile(
    backend: &mut dyn Backend,
    model: &Model,
    data: &Data,
    config: &TrainConfig,
) -> Result<(TrainStep, PlanId, DataPlace)> {
    let augment = recipe::augment(config, model.image);
    let attempt = |backend: &mut dyn Backend, place: DataPlace| -> Result<_> {
        let images = pixels(&data.normalize, augment, place.resident(&*data.train, TRAIN));
        let step = TrainStep::build(model, TrainOptions { images, ..recipe::train_options(config) })?;
        let plan = backend.compile(&step.graph)?;
        Ok((step, plan, place))
    };
    let room = backend.room();
    let place = DataPlace::of(&*data.train, backend, config.resident == Residency::Auto);
    match (attempt(backend, place), place) {
        (Err(TrainError::Backend(BackendError::OutOfMemory { .. })), DataPlace::Device { bytes }) => {
            attempt(backend, DataPlace::TooLarge { bytes, room })
        }
        (done, _) => done,
    }
}

fn non_finite_hint(config: &TrainConfig, epochs_done: usize) -> String {
    let lower = config.lr / 10.0;
    let clip = if config.clip.is_none() { " or --clip 1" } else { "" };
    let kept = match epochs_done {
        0 => String::new(),
        n => format!("; the weights of the first {n} epochs are kept in the run folder"),
    };
    format!("try --lr {lower}{clip}, or a longer warm-up{kept}")
}

/// The model of a run by its name.
///
/// # Errors
/// If the name is unknown or the model does not fit the images.
pub fn model_for(config: &TrainConfig, data: &Data) -> std::result::Result<Model, NnError> {
    chiaro_nn::models::by_name(&config.model, data.classes(), data.train.image_shape())
}
