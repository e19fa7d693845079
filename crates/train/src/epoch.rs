//! One epoch: its steps and the evaluation after them, with few readings from the device.

use std::time::{Duration, Instant};

use chiaro_graph::Tensor;
use chiaro_nn::{Metrics, StepKey};

use crate::error::{Result, TrainError};
use crate::evaluate::{Evaluation, take_metrics};
use crate::observer::{Event, Observer, Progress};
use crate::pace::Left;
use crate::recipe;
use crate::scores::Scores;
use crate::settings::PrecisionName;
use crate::stop::Stop;
use crate::trainer::Trainer;

impl Trainer {
    /// Whether the epoch was trained to its end.
    pub(crate) fn train_epoch(&mut self, observer: &mut dyn Observer, stop: &Stop) -> Result<bool> {
        let steps = self.feed.batches();
        let every = self.config.report_every.unwrap_or_else(|| steps.div_ceil(50)).max(1);
        let (started, seconds_before) = (Instant::now(), self.at.seconds);
        let mut step_started = started;
        let mut last_read = self.at.step_in_epoch;
        let mut batches = self.feed.epoch(self.at.epoch as u64, self.at.step_in_epoch)?;
        let mut waited = Duration::ZERO;
        while !stop.requested() {
            let asked = Instant::now();
            let Some(batch) = batches.next() else { break };
            waited += asked.elapsed();
            let batch = batch?;
            let rows = batch.rows.clone();
            let [images, targets] = batch.into_tensors(self.feed.targets(), self.filler)?;
            let (seed, step, epoch) = (self.config.seed, self.at.step, self.at.epoch as u64);
            let key = StepKey { seed, step, epoch, rows: &rows };
            let inputs = self.step.inputs_by(images, targets, &key, self.rate(step));
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
                self.pace.step = Some(self.at.timed_seconds / self.at.timed_steps as f64);
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
        let seconds = started.elapsed().as_secs_f64();
        self.at.seconds = seconds_before + seconds;
        self.data_wait = waited.as_secs_f64() / seconds.max(1e-9);
        let is_whole = self.at.step_in_epoch == steps;
        if is_whole && self.ran {
            self.keep_gradients()?;
        }
        Ok(is_whole)
    }

    /// Runs a step, with its kernels timed where that was asked for.
    fn run_step(&mut self, inputs: &[Tensor], observer: &mut dyn Observer) -> Result<()> {
        let plan = self.present().0;
        match self.profile_in.take() {
            None => self.backend.run(plan, inputs)?,
            Some(0) => {
                let profile = self.backend.profile(plan, inputs)?;
                observer.event(&Event::Profiled(&profile));
            }
            Some(before) => {
                self.backend.run(plan, inputs)?;
                self.profile_in = Some(before - 1);
            }
        }
        Ok(())
    }

    pub(crate) fn rate(&self, step: u64) -> f64 {
        self.schedule.rate(self.config.lr, step) * recipe::plateau(&self.config, &self.records)
    }

    fn progress(&self, steps: usize) -> Progress {
        Progress {
            epoch: self.at.epoch + 1,
            epochs: self.config.epochs,
            step: self.at.step_in_epoch,
            steps,
            scores: Scores::of_training(&*self.task, &self.at.metrics()),
            lr: self.rate(self.at.step.saturating_sub(1)),
            images_per_second: self.images_per_second(),
            seconds_left: self.seconds_left(0.0),
        }
    }

    /// Seconds to the end of the run after this share of the present evaluation.
    fn seconds_left(&self, evaluated: f64) -> Option<f64> {
        let epochs = self.config.epochs.saturating_sub(self.at.epoch);
        self.pace.seconds(Left {
            steps: (epochs * self.feed.batches()).saturating_sub(self.at.step_in_epoch),
            evaluations: epochs as f64 - evaluated,
            batches: self.evaluator.batches(),
        })
    }

    pub(crate) fn images_per_second(&self) -> f64 {
        (self.at.timed_steps * self.config.batch_size) as f64 / self.at.timed_seconds.max(1e-9)
    }

    fn read_metrics(&mut self, last_read: usize) -> Result<()> {
        let metrics = take_metrics(&mut *self.backend, Metrics::sums_in(&self.step.graph))?;
        // In 16 bits a batch may overflow; its step was left out. Only where none is left does the run not go on.
        let steps = (self.at.step_in_epoch - last_read) as f64;
        let bearable = if self.config.precision == PrecisionName::F16 { steps - 1.0 } else { 0.0 };
        if metrics.non_finite > bearable {
            return Err(self.non_finite("the loss is", last_read));
        }
        self.at.add(&metrics);
        Ok(())
    }

    /// The error of `what` not being finite after steps later than `last_read`.
    pub(crate) fn non_finite(&self, what: &'static str, last_read: usize) -> TrainError {
        TrainError::NonFinite {
            what,
            epoch: self.at.epoch + 1,
            first: last_read + 1,
            last: self.at.step_in_epoch,
            lr: self.rate(self.at.step.saturating_sub(1)),
            try_lr: self.config.lr / 10.0,
            clipped: self.config.clip.is_some(),
        }
    }

    pub(crate) fn evaluate(&mut self, observer: &mut dyn Observer, stop: &Stop) -> Result<Option<Evaluation>> {
        let (started, batches) = (Instant::now(), self.evaluator.batches());
        let (all, one) = (self.seconds_left(0.0), self.seconds_left(1.0));
        let own = self.put_average()?;
        let evaluation = self.evaluator.run(&mut *self.backend, |batch| {
            let done = batch as f64 / batches as f64;
            let seconds_left = all.zip(one).map(|(all, one)| all + (one - all) * done);
            observer.event(&Event::Evaluating { batch, batches, seconds_left });
            batch == batches || !stop.requested()
        })?;
        self.put_back(own)?;
        let seconds = started.elapsed().as_secs_f64();
        self.at.seconds += seconds;
        if evaluation.is_some() {
            self.pace.evaluation = Some(seconds);
        }
        Ok(evaluation)
    }
}
