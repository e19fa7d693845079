//! A model of one's own: a squeeze-and-excitation block (arXiv:1709.01507) in a small network, trained on made-up images.
//!
//! `cargo run --release --example custom_model`

use std::sync::Arc;

use chiaro::data::InMemory;
use chiaro::nn::{
    Activation, BatchNorm2d, Context, Conv2d, Declare, GlobalAvgPool, Linear, Model, Module, Sequential, Summary,
};
use chiaro::train::{Data, Stop, TrainConfig, Trainer};
use chiaro::{Device, DeviceOptions, Var, graph};

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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let layers = Sequential::new()
        .named("conv", Conv2d::new(8, 3).padding(1).without_bias())
        .named("norm", BatchNorm2d::new())
        .named("attention", SqueezeExcite { reduced: 2 })
        .named("relu", Activation::Relu)
        .named("pool", GlobalAvgPool)
        .named("classify", Linear::new(2));
    let model = Model::new("squeeze-excite", [12, 12, 1], 2, layers)?;
    print!("{}", Summary::of(&model));

    let data = Data::new(stripes(512, 1)?, stripes(128, 2)?)?;
    let config = TrainConfig { epochs: 4, lr: 0.02, ..TrainConfig::suited_to("", &*data.train) };
    let device = Device::auto(&DeviceOptions::default())?;
    let mut trainer = Trainer::new(device.share(), &model, &data, &config)?;
    trainer.fit(None, &mut (), &Stop::default())?;
    for record in trainer.records() {
        println!(
            "epoch {}: loss {:.4}, test accuracy {}",
            record.epoch,
            record.train.loss,
            record.eval.get("accuracy")
        );
    }
    Ok(())
}
