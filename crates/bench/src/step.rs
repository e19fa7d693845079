//! Whole training steps: forward, backward, optimizer and metrics of the models, on the images they were made for.

use chiaro_graph::DType;
use chiaro_nn::{Adam, AdamW, Model, Optimizers, Precision, Result, Sgd, TrainOptions, TrainStep, models};

use crate::depthwise::Depthwise;
use crate::workload::{CLASSES, Group, Workload, WorkloadValues};

/// Model, images of a batch, their height, width and channels, and the precision of the layers; the cheapest first.
const MODELS: &[(&str, usize, [usize; 3], DType)] = &[
    ("lenet5", 128, [28, 28, 1], DType::F32),
    ("small-cnn", 128, [28, 28, 1], DType::F32),
    ("small-cnn", 128, [28, 28, 1], DType::F16),
    ("mnist-cnn", 64, [28, 28, 1], DType::F32),
    ("tutorial-cnn", 32, [64, 64, 3], DType::F32),
    ("resnet20", 64, [32, 32, 3], DType::F32),
    ("resnet18", 32, [32, 32, 3], DType::F32),
    ("airbench94", 256, [32, 32, 3], DType::F32),
    ("resnet18-224", 16, [224, 224, 3], DType::F32),
    ("resnet18", 128, [32, 32, 3], DType::F32),
    ("resnet18", 128, [32, 32, 3], DType::F16),
    ("depthwise", 128, [32, 32, 3], DType::F32),
    ("depthwise", 128, [32, 32, 3], DType::F16),
    ("resnet18-224", 32, [224, 224, 3], DType::F16),
    ("resnet50-224", 32, [224, 224, 3], DType::F32),
    ("resnet50-224", 32, [224, 224, 3], DType::F16),
];

pub(crate) fn all() -> Result<Vec<Workload>> {
    MODELS.iter().map(|(name, batch, image, dtype)| step(name, *batch, *image, *dtype)).collect()
}

fn step(name: &str, batch: usize, image: [usize; 3], dtype: DType) -> Result<Workload> {
    let model = match name {
        "depthwise" => Model::new(name, image, CLASSES, Depthwise(CLASSES))?,
        _ => models::by_name(name.strip_suffix("-224").unwrap_or(name), CLASSES, image)?,
    };
    let (precision, half) = if dtype == DType::F16 { (Precision::f16(), " f16") } else { (Precision::F32, "") };
    let options = TrainOptions { precision, ..TrainOptions::new(batch, optimizer(name)) };
    let step = TrainStep::build(&model, options)?;
    let [h, w, c] = image;
    Ok(Workload {
        name: format!("step {name} batch {batch}{half}"),
        group: Group::Step,
        dtype,
        images: Some(batch),
        graph: step.graph.clone(),
        values: WorkloadValues::Step(Box::new(step), [batch, h, w, c]),
    })
}

/// What each model is usually trained with.
fn optimizer(model: &str) -> Optimizers {
    match model {
        "mnist-cnn" | "tutorial-cnn" => Adam::default().into(),
        "resnet20" | "resnet18" | "resnet18-224" | "resnet50-224" | "airbench94" => {
            Sgd { momentum: 0.9, ..Sgd::default() }.into()
        }
        _ => AdamW::default().into(),
    }
}
