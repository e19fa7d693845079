//! Classifying image files with a trained model.

use std::path::Path;

use chiaro_data::{Normalize, decode_file};
use chiaro_graph::{Backend, PlanId, Tensor};
use chiaro_nn::EvalStep;

use crate::error::{Result, TrainError};
use crate::saved::Saved;

/// A class with its probability.
#[derive(Clone, Debug, PartialEq)]
pub struct Guess {
    /// The class's number.
    pub class: usize,
    /// The class's name.
    pub name: String,
    /// Its probability, in 0..=1.
    pub probability: f64,
}

/// A trained model on a device, ready for one image after the other.
pub struct Classifier<'b> {
    backend: &'b mut dyn Backend,
    step: EvalStep,
    plan: PlanId,
    shape: [usize; 3],
    normalize: Normalize,
    classes: Vec<String>,
}

impl<'b> Classifier<'b> {
    /// Compiles the model for one image and loads its weights.
    ///
    /// # Errors
    /// If the weights do not fit the model or the device fails.
    pub fn new(backend: &'b mut dyn Backend, saved: &Saved) -> Result<Classifier<'b>> {
        let step = EvalStep::build(&saved.model()?, 1)?;
        let plan = backend.compile(&step.graph)?;
        saved.load_into(backend, &step.graph)?;
        let info = saved.info();
        let normalize = Normalize::new(info.mean.clone(), info.std.clone())?;
        Ok(Classifier { backend, step, plan, shape: info.image, normalize, classes: info.classes.clone() })
    }

    /// The classes of a JPEG or PNG file of any size, the most probable first.
    ///
    /// # Errors
    /// If the file cannot be decoded or the device fails.
    pub fn classify(&mut self, file: &Path) -> Result<Vec<Guess>> {
        let mut pixels = vec![0; self.shape.iter().product()];
        decode_file(file, self.shape, &mut pixels)?;
        let mut values = vec![0.0; pixels.len()];
        self.normalize.apply(&pixels, &mut values);
        let [h, w, c] = self.shape;
        let image = Tensor::f32([1, h, w, c], values);
        let label = Tensor::i32([1], vec![EvalStep::IGNORED]);
        let inputs = image.zip(label).map(|(image, label)| vec![image, label]);
        let inputs = inputs.ok_or_else(|| TrainError::setting(format!("an image of shape {:?}", self.shape)))?;
        self.backend.run(self.plan, &inputs)?;
        let logits = self.backend.read(self.plan, 0)?;
        Ok(self.ranked(&softmax(&logits.to_f64())))
    }

    /// The step's graph and declarations.
    pub fn step(&self) -> &EvalStep {
        &self.step
    }

    fn ranked(&self, probabilities: &[f64]) -> Vec<Guess> {
        let named = self.classes.iter().zip(probabilities).enumerate();
        let mut guesses: Vec<Guess> =
            named.map(|(class, (name, &probability))| Guess { class, name: name.clone(), probability }).collect();
        guesses.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        guesses
    }
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::softmax;

    #[test]
    fn softmax_of_large_logits_is_finite_and_sums_to_one() {
        let p = softmax(&[1000.0, 1000.0 + 2f64.ln(), -1000.0]);
        assert!((p[0] - 1.0 / 3.0).abs() < 1e-12 && (p[1] - 2.0 / 3.0).abs() < 1e-12 && p[2] == 0.0, "{p:?}");
    }
}
