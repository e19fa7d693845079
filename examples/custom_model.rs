//! A model of one's own: a squeeze-and-excitation block (arXiv:1709.01507) in a small network, trained on made-up images, saved,
//! opened by its name and used.
//!
//! `cargo run --release --example custom_model -- [device]`

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use chiaro::data::InMemory;
use chiaro::graph::Shared;
use chiaro::nn::models::{self, NamedModel};
use chiaro::nn::{
    Activation, BatchNorm2d, Context, Conv2d, Declare, GlobalAvgPool, Linear, Module, Sequential, Summary,
};
use chiaro::train::{Classifier, Data, Guess, RunFolder, Saved, Stop, TrainConfig, Trainer, model_for};
use chiaro::{Backend, Device, DeviceOptions, Var, graph};

const NAME: &str = "squeeze-excite";

// ANCHOR: layer
/// Scales each channel by what the whole image says about it.
struct SqueezeExcite {
    reduced: usize,
}

impl Module for SqueezeExcite {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> graph::Result<Vec<usize>> {
        let &[_, _, _, channels] = x else {
            return Err(declare.error("squeeze-excite", &[x], "takes x [N,H,W,C]".into()));
        };
        let s = declare.call("pool", &GlobalAvgPool, x)?;
        let s = declare.call("reduce", &Linear::new(self.reduced), &s)?;
        declare.call("expand", &Linear::new(channels), &s)?;
        Ok(x.to_vec())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> graph::Result<Var> {
        let &[n, _, _, channels] = ctx.shape(x) else {
            return Err(ctx.shape_error("squeeze-excite", &[ctx.shape(x)], "takes x [N,H,W,C]".into()));
        };
        let s = ctx.call("pool", &GlobalAvgPool, x)?;
        let s = ctx.call("reduce", &Linear::new(self.reduced), s)?;
        let s = ctx.graph().relu(s)?;
        let s = ctx.call("expand", &Linear::new(channels), s)?;
        let gate = ctx.graph().unary(graph::Elementwise::Sigmoid, s)?;
        let gate = ctx.graph().reshape(gate, &[n, 1, 1, channels])?;
        ctx.graph().mul(x, gate)
    }

    fn kind(&self) -> &'static str {
        "SqueezeExcite"
    }
}
// ANCHOR_END: layer

/// Images of 12x12 pixels: stripes along rows (class 0) or columns (class 1), of random brightness.
fn stripes(count: usize, seed: usize) -> Result<Arc<InMemory>, chiaro::data::DataError> {
    let pixel = |image: usize, i: usize| {
        let (row, column, light) = (i / 12, i % 12, (image * 7919 + seed) % 100);
        let line = if image.is_multiple_of(2) { row } else { column };
        (light + if (line / 2).is_multiple_of(2) { 100 } else { 0 } + (i * 31 + image * 17) % 50) as u8
    };
    let pixels = (0..count).flat_map(|image| (0..144).map(move |i| pixel(image, i))).collect();
    let labels = (0..count).map(|image| (image % 2) as u32).collect();
    let set = InMemory::new(pixels, labels, [12, 12, 1], vec!["rows".into(), "columns".into()])?;
    Ok(Arc::new(set))
}

// ANCHOR: layers
/// The layers, for any number of classes.
fn layers(classes: usize) -> Sequential {
    Sequential::new()
        .named("conv", Conv2d::new(8, 3).padding(1).without_bias())
        .named("norm", BatchNorm2d::new())
        .named("attention", SqueezeExcite { reduced: 2 })
        .named("relu", Activation::Relu)
        .named("pool", GlobalAvgPool)
        .named("classify", Linear::new(classes))
}
// ANCHOR_END: layers

// ANCHOR: register
/// Gives the model a name, by which settings and weights know it from here on.
fn register() -> Result<(), Box<dyn Error>> {
    if models::named(NAME).is_err() {
        models::register(NamedModel::new(NAME, [12, 12, 1], |classes, _| Ok(layers(classes))))?;
    }
    Ok(())
}
// ANCHOR_END: register

/// Trains into a run folder, then opens what was saved there and asks it about an image; the last accuracy, and the answer.
pub fn run(device: Shared, folder: &Path, epochs: usize) -> Result<(f64, Vec<Guess>), Box<dyn Error>> {
    register()?;
    // ANCHOR: train
    let data = Data::new(stripes(512, 1)?, stripes(128, 2)?)?;
    let config = TrainConfig { model: NAME.into(), epochs, lr: 0.02, ..TrainConfig::suited_to("", &data) };
    let model = model_for(&config, &data)?;
    print!("{}", Summary::of(&model));
    let folder = RunFolder::create(folder)?;
    let mut trainer = Trainer::new(device.clone(), &model, &data, &config)?;
    folder.write_config(&trainer.record(&device.name()))?;
    trainer.fit(Some(&folder), &mut (), &Stop::default())?;
    // ANCHOR_END: train
    for record in trainer.records() {
        let [train, eval] = [&record.train, &record.eval].map(|scores| scores.shown(&trainer.task().measures(), ""));
        println!("epoch {}: {train}; on others {eval}", record.epoch);
    }
    let accuracy = trainer.records().last().map_or(0.0, |record| record.eval.get("accuracy"));

    // Another program that has registered the model opens it in the same way.
    // ANCHOR: use
    let saved = Saved::load(folder.path())?;
    let mut classifier = Classifier::new(device, &saved)?;
    let mut image = vec![0; 144];
    data.eval.write_image(1, &mut image)?;
    let guesses = classifier.classify_pixels(&image)?;
    // ANCHOR_END: use
    println!("{} says of an image of columns: {}", saved.info().model, guesses[0]);
    Ok((accuracy, guesses))
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "auto".into());
    let device = Device::by_name(&name, &DeviceOptions::default())?;
    let folder = std::env::temp_dir().join(format!("chiaro-custom-model-{}", std::process::id()));
    let ran = run(device.share(), &folder, 4);
    // Where nothing was written there is nothing to remove.
    let _ = std::fs::remove_dir_all(&folder);
    ran.map(|_| ())
}
