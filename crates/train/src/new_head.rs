//! The head of a model: what of its weights follows the number of its outputs.

use chiaro_nn::Model;

use crate::error::{Result, TrainError};
use crate::named_model::named_model;

/// Names of the states of the last product or convolution: those that have other extents with one output more.
///
/// # Errors
/// If the model is known by no name, or nothing of it follows the number of outputs.
pub(crate) fn head_of(model: &Model) -> Result<Vec<String>> {
    let more = named_model(&model.name, model.text.as_deref())?.build(model.classes + 1, model.image)?;
    let shape = |name: &str| more.declared().states.iter().find(|state| state.name == name).map(|state| &state.shape);
    let follows = model.declared().states.iter().filter(|state| shape(&state.name) != Some(&state.shape));
    let head: Vec<String> = follows.map(|state| state.name.clone()).collect();
    if head.is_empty() {
        let detail = format!("--new-head: nothing of {} follows the number of its classes", model.name);
        return Err(TrainError::Setting(detail));
    }
    Ok(head)
}
