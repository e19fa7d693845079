//! Recording and compiling the training step, with the training set on the device if it has the room for both.

use std::sync::Arc;

use chiaro_graph::{Backend, BackendError, PlanId};
use chiaro_nn::{Model, Resident, TrainOptions, TrainStep};

use crate::data::Data;
use crate::error::{Result, TrainError};
use crate::place::{DataPlace, pixels};
use crate::recipe;
use crate::settings::{Residency, TrainConfig};
use crate::task::Task;

/// The training set's name on the device.
const TRAIN: &str = "train";

/// A compiled training step.
pub(crate) struct Compiled {
    /// The step.
    pub step: TrainStep,
    /// Its plan.
    pub plan: PlanId,
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
    let augment = config.augment.of_images([model.image[0], model.image[1]]);
    // As many as the loader makes: images that fill no batch are left out.
    let steps = data.train.len() / config.batch_size;
    let attempt = |backend: &mut dyn Backend, place: DataPlace| {
        let resident = place.resident(&*data.train, TRAIN);
        let images = pixels(&data.normalize, augment, resident.clone());
        let step = TrainStep::build(
            model,
            TrainOptions { images, objective: Arc::clone(task) as _, ..recipe::train_options(config, model, steps)? },
        )?;
        let plan = backend.compile(&step.graph)?;
        Ok(Compiled { step, plan, place, resident })
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

/// The model of a run by its name.
///
/// # Errors
/// If the model's name or the task's is unknown or the model does not fit the images.
pub fn model_for(config: &TrainConfig, data: &Data) -> Result<Model> {
    let outputs = config.named_task()?.outputs(data.classes());
    Ok(chiaro_nn::models::by_name(&config.model, outputs, data.train.image_shape())?)
}
