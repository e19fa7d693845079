//! What looks at every output of an evaluation.

use std::any::Any;

/// Is shown the outputs of an evaluation, image by image, with their targets.
pub trait Tally: Any {
    /// Looks at one image: the model's outputs and its target.
    fn add(&mut self, outputs: &[f32], target: &[f64]);

    /// What was measured, in the order of [`Task::eval_measures`](super::Task::eval_measures).
    fn measures(&self) -> Vec<f64>;

    /// What is to be told of an evaluation beside the measures, in lines.
    fn report(&self) -> String;
}

impl dyn Tally {
    /// The tally as what it is.
    pub fn downcast_ref<T: Tally>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }
}
