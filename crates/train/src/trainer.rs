//! A model with its data on a device, and the loop over epochs; `epoch.rs`, `save.rs` and `resume.rs` have its parts.

use std::sync::Arc;

use chiaro_data::{LoaderOptions, Sampler};
use chiaro_graph::{Backend, PlanId, Tensor};
use chiaro_io::ModelInfo;
use chiaro_nn::{Model, Schedule, TrainStep, Views};

use crate::compile::{Compiled, compile};
use crate::data::Data;
use crate::error::{Result, TrainError};
use crate::evaluate::{EvalOptions, Evaluator};
use crate::examples::examples;
use crate::feed::Feed;
use crate::folder::RunFolder;
use crate::lease::Lease;
use crate::observer::{EpochRecord, Observer};
use crate::pace::Pace;
use crate::phases::CompiledPhase;
use crate::pictures::Drawn;
use crate::place::DataPlace;
use crate::position::{Best, Position};
use crate::run_config::{DataInfo, RunConfig};
use crate::settings::{SamplingName, TrainConfig, check_steps};
use crate::stop::Stop;
use crate::task::{self, Task};
use crate::tensorboard::Board;
use crate::{recipe, weights};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All epochs are done.
    Finished,
    /// So many epochs in a row were no better as the settings bear.
    NoBetter,
    /// Another epoch would have gone beyond the time limit.
    OutOfTime,
    /// A stop was asked for; where there is a run folder, its checkpoint holds everything to go on.
    Interrupted,
}

/// A model with its data on a device, ready to be trained.
pub struct Trainer {
    pub(crate) backend: Lease,
    pub(crate) config: TrainConfig,
    pub(crate) info: ModelInfo,
    pub(crate) data: DataInfo,
    pub(crate) step: TrainStep,
    pub(crate) plan: PlanId,
    /// The phases before that of `step` and `plan`.
    earlier: Vec<CompiledPhase>,
    pub(crate) task: Arc<dyn Task>,
    pub(crate) evaluator: Evaluator,
    pub(crate) feed: Feed,
    /// What the target of a row is that does not count.
    pub(crate) filler: f64,
    place: DataPlace,
    pub(crate) schedule: Schedule,
    pub(crate) at: Position,
    pub(crate) records: Vec<EpochRecord>,
    pub(crate) pace: Pace,
    /// Whether a step has run since the start of the program: the first compiles kernels.
    pub(crate) ran: bool,
    /// Share of the last epoch's steps in which they waited for data.
    pub(crate) data_wait: f64,
    /// Steps until one is profiled.
    pub(crate) profile_in: Option<usize>,
    pub(crate) model: Model,
    /// Images of each class, to train and to evaluate on.
    pub(crate) class_counts: [Vec<usize>; 2],
    /// What the images are called that epochs are evaluated on.
    pub(crate) eval_names: Vec<String>,
    /// The curves as they were drawn last.
    pub(crate) drawn: Option<Drawn>,
    /// What TensorBoard is told; absent without a run folder, or where it cannot be written.
    pub(crate) board: Option<Board>,
}

impl Trainer {
    /// Builds training and evaluation step of the task that the settings name, compiles them, and sets the initial values. The
    /// trainer owns the backend; a [`Shared`](chiaro_graph::Shared) one can be used beside it, and gets the memory of the trainer's
    /// plans and images back when that is dropped. The weights stay.
    ///
    /// # Errors
    /// If a setting is out of its range, the data is none for the task, the model does not fit the data, or the steps do not fit
    /// the device.
    pub fn new(backend: impl Backend + 'static, model: &Model, data: &Data, config: &TrainConfig) -> Result<Trainer> {
        Trainer::for_task(backend, model, data, config, config.named_task()?)
    }

    /// The same for a task of one's own, whose name the settings then have.
    ///
    /// # Errors
    /// Those of [`Trainer::new`]; and if the task has not one target for each image, its filler is NaN, or a measure has a name
    /// that files cannot hold (`loss`, `epoch`, or one with a comma or a line break).
    pub fn for_task(
        backend: impl Backend + 'static,
        model: &Model,
        data: &Data,
        config: &TrainConfig,
        task: Arc<dyn Task>,
    ) -> Result<Trainer> {
        let mut lease = Lease::new(backend);
        let backend = &mut *lease;
        let config = &TrainConfig { task: task.name().into(), ..config.clone() };
        config.check()?;
        task.check_data(&*data.train, &*data.eval)?;
        let task = task.fitted(config, &*data.train)?.unwrap_or(task);
        let outputs = task.outputs(data.classes());
        task::check(&*task, outputs)?;
        if model.image != data.train.image_shape() || model.classes != outputs {
            return Err(TrainError::OtherData {
                found: format!("images of {:?} in {} classes", data.train.image_shape(), data.classes()),
                expected: format!("images of {:?} and {} outputs of the model", model.image, model.classes),
            });
        }
        let (batch, threads) = (config.batch_size, config.data_threads);
        let config = &TrainConfig { precision: config.precision.on(backend)?, ..config.clone() };
        let labels = || (0..data.train.len()).map(|image| data.train.label(image)).collect();
        let balance = (config.sampling == SamplingName::Balanced).then(labels);
        let options = LoaderOptions { threads, balance, ..LoaderOptions::training(batch, config.seed) };
        // A batch that the data cannot fill is said to be one before it is found to fit no memory.
        check_steps(config, data.train.len())?;
        Sampler::new(data.train.len(), &options)?;
        let Compiled { step, plan, earlier, place, resident } = compile(backend, model, data, config, &task)?;
        lease.hold(plan, &step.graph);
        earlier.iter().for_each(|phase| lease.hold(phase.plan, &phase.step.graph));
        let backend = &mut *lease;
        let feed = Feed::new(backend, &data.train, task.targets(&*data.train)?, options, resident.as_ref())?;
        let options = EvalOptions { batch, threads, resident: resident.is_some(), views: Views::One };
        let evaluator = Evaluator::new(backend, &task, model, &data.eval, &data.normalize, options)?;
        evaluator.held_by(&mut lease);
        let backend = &mut *lease;
        for (name, values) in step.initial_arenas_from(config.seed, examples(&step, data)?.as_ref()) {
            backend.write_arena(&name, &values)?;
        }
        let schedule = recipe::schedule(config, feed.batches());
        let class_counts = [task.class_counts(&*data.train), task.class_counts(&*data.eval)];
        Ok(Trainer {
            backend: lease,
            config: config.clone(),
            info: data.model_info(model, task.name()),
            data: data.info(feed.targets(), evaluator.targets()),
            filler: task.target(outputs).filler,
            task,
            step,
            plan,
            earlier,
            place: place.with(evaluator.data_place()),
            evaluator,
            feed,
            schedule,
            at: Position::default(),
            records: vec![],
            pace: Pace::default(),
            ran: false,
            data_wait: 0.0,
            profile_in: None,
            model: model.clone(),
            class_counts,
            eval_names: (0..data.eval.len()).map(|image| data.eval.name(image)).collect(),
            drawn: None,
            board: None,
        })
    }

    /// The settings, with the precision that the device decided on.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// What is learnt.
    pub fn task(&self) -> &Arc<dyn Task> {
        &self.task
    }

    /// The record of settings and data, for [`RunFolder::write_config`]; `device` is the name of the device that is used.
    pub fn record(&self, device: &str) -> RunConfig {
        RunConfig::new(&self.config, self.info.described.as_deref(), &self.data, device)
    }

    /// Times the kernels of one step, after `before` others that warm the device up; the observer hears of it. The step
    /// itself is a step like all.
    pub fn profile_step(&mut self, before: usize) {
        self.profile_in = Some(before);
    }

    /// The training step of the run's last phase, which is all of it where nothing thaws or grows.
    pub fn step(&self) -> &TrainStep {
        &self.step
    }

    /// The plan of the present step, with its graph.
    pub(crate) fn present(&self) -> (PlanId, &TrainStep) {
        self.phase_of(self.at.step)
    }

    /// The plan that runs the step of this number, from 0, with its graph.
    pub(crate) fn phase_of(&self, number: u64) -> (PlanId, &TrainStep) {
        let has_it = |phase: &&CompiledPhase| phase.phase.until.is_none_or(|until| number < until);
        self.earlier.iter().find(has_it).map_or((self.plan, &self.step), |phase| (phase.plan, &phase.step))
    }

    /// The training step of the run's present phase: with frozen parts until they thaw, and of smaller images where they grow.
    pub fn present_step(&self) -> &TrainStep {
        self.present().1
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
        &mut *self.backend
    }

    /// Steps of an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.feed.batches()
    }

    /// Epochs that have ended.
    pub fn epochs_done(&self) -> usize {
        self.at.epoch
    }

    /// The epoch whose weights are kept as the best; of equal ones that of the lowest loss.
    pub fn best(&self) -> Option<Best> {
        self.at.best
    }

    /// Training images of each epoch that fill no batch and are left out, others every time.
    pub fn left_out(&self) -> usize {
        self.data.train_images - self.feed.batches() * self.config.batch_size
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
        weights::read(&mut *self.backend, &self.step.graph)
    }

    /// Trains to the last epoch, evaluating after each. With a folder, every epoch is saved in it, and in the end the temperature of
    /// the best weights and `results.json`. After an error the folder's
    /// files are those of the last epoch that was saved.
    ///
    /// # Errors
    /// If data cannot be loaded, the device fails, loss or weights stop being finite, another process writes to the folder, or a
    /// file cannot be written.
    pub fn fit(&mut self, folder: Option<&RunFolder>, observer: &mut dyn Observer, stop: &Stop) -> Result<Ending> {
        if let Some(folder) = folder {
            folder.claim()?;
            if self.at.epoch < self.config.epochs {
                self.open_board(folder, observer);
                self.draw_beginning(folder, observer);
            }
        }
        let before = self.at.epoch;
        let mut ending = Ending::Finished;
        while self.at.epoch < self.config.epochs {
            if let Some(early) = self.ends_early() {
                ending = early;
                break;
            }
            let trained = self.train_epoch(observer, stop)?;
            let evaluated = if trained { self.evaluate(observer, stop)? } else { None };
            let Some(evaluation) = evaluated else {
                if let Some(folder) = folder {
                    self.save_here(folder)?;
                }
                return Ok(Ending::Interrupted);
            };
            self.end_epoch(folder, observer, evaluation)?;
        }
        let trained = self.at.epoch > before;
        let ended = folder.map_or(Ok(true), |folder| self.finish(folder, observer, stop, trained))?;
        Ok(if ended { ending } else { Ending::Interrupted })
    }
}
