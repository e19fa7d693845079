//! Whole training steps: forward, backward, optimizer and metrics of the models, on the images they were made for.

use chiaro_graph::DType;
use chiaro_nn::{Adam, AdamW, Model, Optimizer, Result, Sgd, TrainOptions, TrainStep, models};

use crate::imagenet::ResNet18;
use crate::workload::{CLASSES, Group, Values, Workload};

/// Model, images of a batch, and their height, width and channels; the cheapest first.
const MODELS: &[(&str, usize, [usize; 3])] = &[
    ("lenet5", 128, [28, 28, 1]),
    ("small-cnn", 128, [28, 28, 1]),
    ("mnist-cnn", 64, [28, 28, 1]),
    ("tutorial-cnn", 32, [64, 64, 3]),
    ("resnet20", 64, [32, 32, 3]),
    ("resnet18", 32, [32, 32, 3]),
    ("resnet18-224", 16, [224, 224, 3]),
    ("resnet18", 128, [32, 32, 3]),
];

pub(crate) fn all() -> Result<Vec<Workload>> {
    MODELS.iter().map(|(name, batch, image)| step(name, *batch, *image)).collect()
}

fn step(name: &str, batch: usize, image: [usize; 3]) -> Result<Workload> {
    let model = match name {
        "resnet18-224" => Model::new(name, image, CLASSES, ResNet18(CLASSES))?,
        _ => models::by_name(name, CLASSES, image)?,
    };
    let step = TrainStep::build(&model, TrainOptions::new(batch, optimizer(name)))?;
    let [h, w, c] = image;
    Ok(Workload {
        name: format!("step {name} batch {batch}"),
        group: Group::Step,
        dtype: DType::F32,
        images: Some(batch),
        graph: step.graph.clone(),
        values: Values::Step(Box::new(step), [batch, h, w, c]),
    })
}

/// What each model is usually trained with.
fn optimizer(model: &str) -> Optimizer {
    match model {
        "mnist-cnn" | "tutorial-cnn" => Optimizer::Adam(Adam::default()),
        "resnet20" | "resnet18" | "resnet18-224" => Optimizer::Sgd(Sgd { momentum: 0.9, ..Sgd::default() }),
        _ => Optimizer::AdamW(AdamW::default()),
    }
}
