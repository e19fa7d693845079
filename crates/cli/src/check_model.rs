//! Compares one whole model, forward and backward, between a device and the reference.

use chiaro::graph::{Backend, BackendError, DType, Tensor, normal_pair, random_words};
use chiaro::nn::{Model, NnError, Optimizer, Sgd, TrainOptions, TrainStep};
use chiaro_check::compare::compare;
use chiaro_check::verify::CaseReport;

/// Images of the step: enough for batch statistics, few enough for the reference.
const BATCH: usize = 2;
/// Largest error of the logits. A network multiplies the rounding of its layers.
const LIMIT: f64 = 1e-4;
/// Largest error of all gradients together: beside rounding, a value next to a kink may fall on its other side.
const GRADIENT_LIMIT: f64 = 1e-3;
const SEED: u64 = 7;

/// One training step of the model on both, from the same values.
///
/// # Errors
/// If the model's step cannot be built. That a device fails on it is a failure in the report.
pub fn check(device: &mut dyn Backend, reference: &mut dyn Backend, model: &Model) -> Result<CaseReport, NnError> {
    let options = TrainOptions {
        output_logits: true,
        output_gradients: true,
        ..TrainOptions::new(BATCH, Optimizer::Sgd(Sgd::default()))
    };
    let step = TrainStep::build(model, options)?;
    let name = format!("whole model/{}", model.name);
    let mut report =
        CaseReport { name, forward: 0.0, gradient: None, limit: LIMIT, gradient_limit: GRADIENT_LIMIT, failure: None };
    let both = run(reference, &step, model).and_then(|want| Ok((want, run(device, &step, model)?)));
    match both {
        Err(error) => report.failure = Some(error.to_string()),
        Ok(([want, want_gradients], [got, got_gradients])) => {
            report.forward = judge(&mut report.failure, "the logits", &got, &want, LIMIT);
            let what = "the gradients";
            report.gradient = Some(judge(&mut report.failure, what, &got_gradients, &want_gradients, GRADIENT_LIMIT));
        }
    }
    Ok(report)
}

/// Logits and gradients.
fn run(backend: &mut dyn Backend, step: &TrainStep, model: &Model) -> Result<[Tensor; 2], BackendError> {
    let plan = backend.compile(&step.graph)?;
    for (name, values) in step.initial_arenas(SEED) {
        backend.write_arena(&name, &values)?;
    }
    let [h, w, c] = model.image;
    let noise = |i: usize| {
        let words = random_words([SEED as u32, 0, 1], 0, i as u32);
        f64::from(normal_pair([words[0], words[1]])[0] as f32)
    };
    let pixels: Vec<f64> = (0..BATCH * h * w * c).map(noise).collect();
    let labels: Vec<f64> = (0..BATCH).map(|i| (i % model.classes) as f64).collect();
    let tensor = |shape: &[usize], dtype: DType, values: &[f64]| {
        Tensor::from_f64(shape.to_vec(), dtype, values).unwrap_or_else(|| Tensor::zeros(shape.to_vec(), dtype))
    };
    let images = tensor(&[BATCH, h, w, c], DType::F32, &pixels);
    let labels = tensor(&[BATCH], DType::I32, &labels);
    backend.run(plan, &step.inputs(images, labels, SEED, 0, 0.1))?;
    let output = |name: &str| {
        let found = step.graph.outputs().iter().position(|(known, _)| known == name);
        found.ok_or_else(|| BackendError::Unknown(format!("output {name}")))
    };
    Ok([backend.read(plan, output("logits")?)?, backend.read(plan, output("gradients")?)?])
}

fn judge(failure: &mut Option<String>, what: &str, got: &Tensor, want: &Tensor, limit: f64) -> f64 {
    let error = compare(got, want).unwrap_or(f64::INFINITY);
    if error > limit || error.is_nan() {
        failure.get_or_insert(format!("{what} are wrong by {error:.1e}, allowed {limit:.1e}"));
    }
    error
}
