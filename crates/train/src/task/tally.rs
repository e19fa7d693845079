//! What looks at every output of an evaluation.

use std::any::Any;

use crate::confusion::Confusion;
use crate::metrics::ClassMetrics;

/// Is shown the outputs of an evaluation, image by image, with their targets.
pub trait Tally: Any {
    /// Looks at one image: the model's outputs and its target.
    fn add(&mut self, outputs: &[f32], target: &[f64]);

    /// What was measured, in the order of [`Task::eval_measures`](super::Task::eval_measures).
    fn measures(&self) -> Vec<f64>;

    /// What is to be told of an evaluation beside the measures, in lines.
    fn report(&self) -> String;

    /// What outputs are best divided by before they are read as probabilities, and what goes with it; `None` where the outputs
    /// are none, or no such number can be found.
    fn calibration(&self) -> Option<Calibration> {
        None
    }

    /// Reads outputs from here on as divided by this.
    fn set_temperature(&mut self, _temperature: f64) {}

    /// The outputs of all images in their order, a row each; none where they are not kept.
    fn outputs(&self) -> &[f32] {
        &[]
    }

    /// The labels of all images in their order, where each is of one class.
    fn labels(&self) -> &[usize] {
        &[]
    }

    /// Which class was taken for which, where each image is of one.
    fn confusion(&self) -> Option<&Confusion> {
        None
    }

    /// All measures of classes, where there are classes.
    fn metrics(&self) -> Option<ClassMetrics> {
        None
    }
}

/// How a trained model's outputs are read as probabilities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// What outputs are divided by.
    pub temperature: f64,
    /// The probability below which an image is rather of no class: 95 of 100 images that were right reach it.
    pub unknown_below: Option<f64>,
}

impl dyn Tally {
    /// The tally as what it is.
    pub fn downcast_ref<T: Tally>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }
}
