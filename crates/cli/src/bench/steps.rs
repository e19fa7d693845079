//! Whole training steps of the models.

use chiaro::graph::{DType, Tensor};
use chiaro::nn::{AdamW, Optimizer, TrainOptions, TrainStep, models};

use super::measure::Case;
use crate::models::usual_image;

const MODELS: [(&str, usize); 5] =
    [("small-cnn", 128), ("mnist-cnn", 128), ("tutorial-cnn", 32), ("resnet20", 64), ("resnet18", 32)];

/// All step rows.
pub fn all() -> anyhow::Result<Vec<Case>> {
    MODELS.iter().map(|(name, batch)| step(name, *batch)).collect()
}

fn step(name: &str, batch: usize) -> anyhow::Result<Case> {
    let [h, w, c] = usual_image(name);
    let model = models::by_name(name, 10, [h, w, c])?;
    let step = TrainStep::build(&model, TrainOptions::new(batch, Optimizer::AdamW(AdamW::default())))?;
    let shape = [batch, h, w, c];
    let pixels = (0..batch * h * w * c).map(|i| ((i * 7919) % 1013) as f32 / 506.5 - 1.0).collect();
    let images = Tensor::f32(shape, pixels).unwrap_or_else(|| Tensor::zeros(shape, DType::F32));
    let labels = Tensor::i32([batch], (0..batch as i32).map(|i| i % 10).collect());
    let labels = labels.unwrap_or_else(|| Tensor::zeros([batch], DType::I32));
    let inputs = step.inputs(images, labels, 1, 0, 1e-3);
    let arenas = step.initial_arenas(1);
    Ok(Case { name: format!("step {name} batch {batch}"), graph: step.graph, inputs, arenas, images: Some(batch) })
}
