//! The batch size that the memory has room for.

use std::sync::Arc;

use chiaro_graph::{Backend, BackendError, GraphError};
use chiaro_nn::{Model, TrainStep};

use crate::compile;
use crate::data::Data;
use crate::error::{Result, TrainError};
use crate::place::DataPlace;
use crate::settings::{Residency, TrainConfig, check_steps};
use crate::task::Task;

/// A batch of as many images as there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FittingBatch {
    /// Images a step.
    pub images: usize,
    /// Bytes of the training step at this size, the data set left out.
    pub bytes: u64,
}

/// Larger batches gain no speed.
const MOST: usize = 1024;
/// Steps that an epoch should have at least, as far as batches of a few images give it so many.
const STEPS: usize = 20;
const FEW: usize = 8;
/// Share of the memory that a step may take: the rest is for evaluating, and for what else runs.
const SHARE: [u64; 2] = [3, 4];

/// The largest power of two of images whose training step, as it is planned, takes at most three quarters of `memory` bytes less the
/// data set, where that is on the device; at most 1024, and so that an epoch has 20 steps or
/// a batch 8 images.
///
/// # Errors
/// If not even one image has room, or the model does not fit the data.
pub fn fitting_batch(
    backend: &dyn Backend,
    memory: u64,
    model: &Model,
    data: &Data,
    config: &TrainConfig,
) -> Result<FittingBatch> {
    let place = DataPlace::of(&*data.train, backend, config.resident == Residency::Auto);
    let resident = if let DataPlace::Device { bytes } = place { bytes } else { 0 };
    let room = memory.saturating_sub(resident) / SHARE[1] * SHARE[0];
    let task = config.named_task()?;
    let task = task.fitted(config, &*data.train)?.unwrap_or(task);
    let planned =
        |images: usize| planned(backend, model, data, &TrainConfig { batch_size: images, ..config.clone() }, &task);
    let mut images = power_below((data.train.len() / STEPS).clamp(FEW, MOST).min(data.train.len()));
    loop {
        match planned(images)? {
            Ok(bytes) if bytes <= room => return Ok(FittingBatch { images, bytes }),
            Ok(bytes) if images == 1 => {
                return Err(TrainError::Setting(format!(
                    "a training step of {} needs {bytes} bytes for one image, but there is room for {room}: take a smaller model or --size",
                    model.name
                )));
            }
            Err(error) if images == 1 => return Err(too_large(images, &error)),
            Ok(_) | Err(_) => images /= 2,
        }
    }
}

/// Bytes of the training step of these settings as the backend plans it, the data set left out.
///
/// # Errors
/// If the model does not fit the data, or the data fills no batch.
pub fn step_bytes(backend: &dyn Backend, model: &Model, data: &Data, config: &TrainConfig) -> Result<u64> {
    check_steps(config, data.train.len())?;
    let task = config.named_task()?;
    let task = task.fitted(config, &*data.train)?.unwrap_or(task);
    planned(backend, model, data, config, &task)?.map_err(|error| too_large(config.batch_size, &error))
}

fn too_large(images: usize, error: &GraphError) -> TrainError {
    TrainError::Setting(format!("a training step of {images} images: {error}"))
}

/// Bytes of a step, or the error of a tensor that the device cannot have.
fn planned(
    backend: &dyn Backend,
    model: &Model,
    data: &Data,
    config: &TrainConfig,
    task: &Arc<dyn Task>,
) -> Result<std::result::Result<u64, GraphError>> {
    let options = compile::options(model, data, config, task, None)?;
    let step = TrainStep::build(model, options)?;
    match backend.planned_bytes(&step.graph) {
        Ok(bytes) => Ok(Ok(bytes)),
        Err(BackendError::Graph(error @ GraphError::TooLarge { .. })) => Ok(Err(error)),
        Err(error) => Err(error.into()),
    }
}

/// The largest power of two that is at most this.
fn power_below(n: usize) -> usize {
    1 << n.ilog2()
}
