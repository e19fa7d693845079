//! Compares one whole model, forward and backward, between a device and an executor that is right.

use std::collections::BTreeMap;

use chiaro::graph::{Backend, BackendError, DType, Tensor, normal_pair, random_words};
use chiaro::nn::{Model, NnError, Precision, Sgd, TrainOptions, TrainStep};
use chiaro_check::compare::compare;
use chiaro_check::verify::{CaseReport, OTHER_BITS, flip, run_once, run_twice};

const SEED: u64 = 7;

/// A training step to compare.
#[derive(Clone, Debug)]
pub struct Step {
    /// The row's name behind the model's.
    pub name: String,
    /// Images: as many as a run trains with, so that the step has the tiles of a run; or few enough for the float64 reference.
    pub batch: usize,
    /// In which precision it computes.
    pub precision: Precision,
    /// Largest error of the logits. A network multiplies the rounding of its layers.
    pub limit: f64,
    /// Largest error of all gradients together: beside rounding, a value next to a kink may fall on its other side.
    pub gradient_limit: f64,
}

impl Step {
    /// Two images against the float64 reference.
    pub fn few() -> Step {
        Step { name: String::new(), batch: 2, precision: Precision::F32, limit: 1e-4, gradient_limit: 1e-3 }
    }

    /// As it is trained, against the CPU backend.
    pub fn trained(batch: usize) -> Step {
        Step { name: format!(", a step of {batch}"), batch, ..Step::few() }
    }

    /// The same in 16 bits, which round what layers pass on. Measured for small-cnn on software Vulkan: 2.3e-4 and 1.5e-3.
    pub fn trained_in_16_bits(batch: usize) -> Step {
        let name = format!(", a step of {batch} in f16");
        Step { name, batch, precision: Precision::f16(), limit: 2e-3, gradient_limit: 1e-2 }
    }

    /// The row's name.
    pub fn row(&self, model: &Model) -> String {
        format!("whole model/{}{}", model.name, self.name)
    }

    /// One training step of the model on both, from the same values; the device runs it twice, which must give the same bits.
    /// `corrupt` changes what the device gave: the negative control.
    ///
    /// # Errors
    /// If the model's step cannot be built. That a device fails on it is a failure in the report.
    pub fn check(
        &self,
        device: &mut dyn Backend,
        right: &mut dyn Backend,
        model: &Model,
        corrupt: bool,
    ) -> Result<CaseReport, NnError> {
        let options = TrainOptions {
            output_logits: true,
            output_gradients: true,
            precision: self.precision,
            ..TrainOptions::new(self.batch, Sgd::default())
        };
        let step = TrainStep::build(model, options)?;
        let (limit, gradient_limit) = (self.limit, self.gradient_limit);
        let mut report =
            CaseReport { name: self.row(model), forward: 0.0, gradient: None, limit, gradient_limit, failure: None };
        if let Err(error) = self.compare(device, right, (&step, model), corrupt, &mut report) {
            report.failure = Some(error.to_string());
        }
        Ok(report)
    }

    fn compare(
        &self,
        device: &mut dyn Backend,
        right: &mut dyn Backend,
        (step, model): (&TrainStep, &Model),
        corrupt: bool,
        report: &mut CaseReport,
    ) -> Result<(), BackendError> {
        let (inputs, arenas) =
            (self.inputs(step, model), step.initial_arenas(SEED).into_iter().collect::<BTreeMap<_, _>>());
        let want = run_once(right, &step.graph, &inputs, &arenas, 1)?;
        let (mut got, same) = run_twice(device, &step.graph, &inputs, &arenas, 1)?;
        if !same {
            report.failure = Some(OTHER_BITS.to_string());
        }
        let place = |name: &str| {
            let found = step.graph.outputs().iter().position(|(known, _)| known == name);
            found.ok_or_else(|| BackendError::Unknown(format!("output {name}")))
        };
        let (logits, gradients) = (place("logits")?, place("gradients")?);
        if corrupt {
            flip(&mut got[logits]);
            flip(&mut got[gradients]);
        }
        let mut judge = |what: &str, place: usize, limit: f64| {
            let error = compare(&got[place], &want[place]).unwrap_or(f64::INFINITY);
            if error > limit || error.is_nan() {
                report.failure.get_or_insert(format!("{what} are wrong by {error:.1e}, allowed {limit:.1e}"));
            }
            error
        };
        let forward = judge("the logits", logits, self.limit);
        let gradient = judge("the gradients", gradients, self.gradient_limit);
        (report.forward, report.gradient) = (forward, Some(gradient));
        Ok(())
    }

    fn inputs(&self, step: &TrainStep, model: &Model) -> Vec<Tensor> {
        let [h, w, c] = model.image;
        let noise = |i: usize| {
            let words = random_words([SEED as u32, 0, 1], 0, i as u32);
            f64::from(normal_pair([words[0], words[1]])[0] as f32)
        };
        let pixels: Vec<f64> = (0..self.batch * h * w * c).map(noise).collect();
        let labels: Vec<f64> = (0..self.batch).map(|i| (i % model.classes) as f64).collect();
        let tensor = |shape: &[usize], dtype: DType, values: &[f64]| {
            Tensor::from_f64(shape.to_vec(), dtype, values).unwrap_or_else(|| Tensor::zeros(shape.to_vec(), dtype))
        };
        let images = tensor(&[self.batch, h, w, c], DType::F32, &pixels);
        step.inputs(images, tensor(&[self.batch], DType::I32, &labels), SEED, 0, 0.1)
    }
}
