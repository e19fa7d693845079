//! An ONNX file as `chiaro predict` runs it: images in memory to logits, nothing decoded.

use crate::numbers;
use crate::report::Report;
use anyhow::{Context, Result};
use chiaro::nn::EvalStep;
use chiaro::train::Saved;
use chiaro::{Backend, Tensor};
use std::path::Path;

/// Times batches of normalised images through the file's network.
pub fn time(backend: &mut dyn Backend, file: &Path, batch: usize, report: &Report) -> Result<()> {
    let prepare = || {
        let saved = Saved::load(file)?;
        let model = saved.model()?;
        let step = EvalStep::build(&model, batch)?;
        let plan = backend.compile(&step.graph)?;
        saved.load_into(backend, &step.graph)?;
        let [h, w, c] = model.image;
        let images = Tensor::f32([batch, h, w, c], numbers::images(0, batch, [c, h, w])).context("images")?;
        let labels = Tensor::i32([batch], vec![EvalStep::IGNORED; batch]).context("labels")?;
        Ok((backend, plan, [images, labels]))
    };
    report.prediction(batch, prepare, |(backend, plan, inputs)| {
        backend.run(*plan, inputs)?;
        Ok(backend.read(*plan, 0)?.to_f64())
    })
}
