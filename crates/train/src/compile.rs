//! Recording and compiling the training step, with the training set on the device if it has the room for both.

use std::sync::Arc;

use chiaro_graph::{Backend, BackendError, PlanId};
use chiaro_nn::{Model, Resident, TrainOptions, TrainStep};

use crate::alone::check_trainable;
use crate::data::Data;
use crate::error::{Result, TrainError};
use crate::lease;
use crate::named_model::named_model;
use crate::phases::{CompiledPhase, phases};
use crate::place::{DataPlace, pixels};
use crate::recipe;
use crate::settings::{Residency, TrainConfig};
use crate::task::Task;
use crate::teacher;

/// The training set's name on the device.
const TRAIN: &str = "train";

/// A compiled training step.
pub(crate) struct Compiled {
    /// The step.
    pub step: TrainStep,
    /// Its plan.
    pub plan: PlanId,
    /// The phases before the last, whose step this is.
    pub earlier: Vec<CompiledPhase>,
    /// Where the training set is to be.
    pub place: DataPlace,
    /// Its arena, where that is on the device.
    pub resident: Option<Resident>,
}

/// The step of these settings for this data.
pub(crate) fn compile(
    backend: &mut dyn Backend,
    model: &Model,
    data: &Data,
    config: &TrainConfig,
    task: &Arc<dyn Task>,
) -> Result<Compiled> {
    check_trainable(model)?;
    let steps = data.train.len() / config.batch_size;
    let opened = teacher::Opened::of(config, model, &data.normalize, data.train.classes())?;
    let opened = opened.as_ref();
    config.progressive.iter().flat_map(|sizes| &sizes.0).try_for_each(|(size, _)| fits(model, *size))?;
    let attempt = |backend: &mut dyn Backend, place: DataPlace| {
        let resident = place.resident(&*data.train, TRAIN);
        let options = options(model, data, config, task, resident.clone())?;
        let mut made = vec![];
        for phase in phases(config, &options.optimizers, steps, [model.image[0], model.image[1]]) {
            let (size, is_frozen) = (phase.size, phase.is_frozen);
            let teacher = opened.map(|opened| opened.teacher.clone());
            let step = TrainStep::build(model, TrainOptions { teacher, size, is_frozen, ..options.clone() })?;
            let plan = match backend.compile(&step.graph) {
                Ok(plan) => plan,
                Err(error) => {
                    made.into_iter()
                        .for_each(|CompiledPhase { plan, step, .. }| lease::release(backend, plan, &step.graph));
                    return Err(error.into());
                }
            };
            made.push(CompiledPhase { phase, step, plan });
        }
        let last = made.pop().ok_or_else(|| TrainError::setting("a run has one phase at least"))?;
        if let Some(opened) = opened {
            opened.load_into(backend, &last.step.graph)?;
        }
        Ok(Compiled { step: last.step, plan: last.plan, earlier: made, place, resident })
    };
    let room = backend.room();
    let place = DataPlace::of(&*data.train, backend, config.resident == Residency::Auto);
    let made = attempt(backend, place);
    let DataPlace::Device { bytes } = place else { return made };
    match made {
        Err(TrainError::Backend(BackendError::OutOfMemory { .. })) => {
            attempt(backend, DataPlace::TooLarge { bytes, room })
        }
        made => made,
    }
}

/// How many training steps a run of these settings compiles: one for each phase, such as a size of the images.
///
/// # Errors
/// If settings mean nothing for this model and data.
pub fn phase_count(model: &Model, data: &Data, config: &TrainConfig) -> Result<usize> {
    let task = config.named_task()?;
    let task = task.fitted(config, &*data.train)?.unwrap_or(task);
    let options = options(model, data, config, &task, None)?;
    let steps = data.train.len() / config.batch_size;
    Ok(phases(config, &options.optimizers, steps, [model.image[0], model.image[1]]).len())
}

/// Whether the model can be trained on smaller images at first.
fn fits(model: &Model, size: [usize; 2]) -> Result<()> {
    let told = |error| {
        let remedy = "give larger sizes, or a model whose layers fit any";
        TrainError::Setting(format!("--progressive: {error}; {remedy}"))
    };
    model.of_size(size).map(|_| ()).map_err(told)
}

/// The options of a training step for this data, which is on the device where `resident` says so.
pub(crate) fn options(
    model: &Model,
    data: &Data,
    config: &TrainConfig,
    task: &Arc<dyn Task>,
    resident: Option<Resident>,
) -> Result<TrainOptions> {
    let augment = config.augment.of_images([model.image[0], model.image[1]]);
    let images = pixels(&data.normalize, augment, resident);
    // As many as the loader makes: images that fill no batch are left out.
    let steps = data.train.len() / config.batch_size;
    Ok(TrainOptions { images, objective: Arc::clone(task) as _, ..recipe::train_options(config, model, steps)? })
}

/// The model of a run by its name.
///
/// # Errors
/// If the model's name or the task's is unknown or the model does not fit the images.
pub fn model_for(config: &TrainConfig, data: &Data) -> Result<Model> {
    let outputs = config.named_task()?.outputs(data.classes());
    Ok(named_model(&config.model, None)?.build(outputs, data.train.image_shape())?)
}
