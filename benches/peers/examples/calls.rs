//! The kernel calls of an ONNX file's network, each with the least of its times: `calls FILE.onnx BATCH [RUNS] [THREADS]`.

use anyhow::{Context, Result};
use chiaro::nn::EvalStep;
use chiaro::train::Saved;
use chiaro::{Device, DeviceOptions, Tensor};
use std::path::Path;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let file = args.get(1).context("calls FILE.onnx BATCH [RUNS] [THREADS]")?;
    let number = |i: usize, absent: usize| args.get(i).map_or(Ok(absent), |word| word.parse());
    let (batch, runs, threads) = (number(2, 1)?, number(3, 20)?, number(4, 0)?);
    let options = DeviceOptions { threads: Some(threads).filter(|&n| n > 0), cache: None, ..DeviceOptions::default() };
    let mut device = Device::by_name("cpu", &options)?;
    let backend = device.backend();
    let saved = Saved::load(Path::new(file))?;
    let model = saved.model()?;
    let step = EvalStep::build(&model, batch)?;
    let plan = backend.compile(&step.graph)?;
    saved.load_into(backend, &step.graph)?;
    let [h, w, c] = model.image;
    let count = batch * h * w * c;
    let images = (0..count).map(|i| (i % 61) as f32 / 61.0 - 0.5).collect();
    let images = Tensor::f32([batch, h, w, c], images).context("images")?;
    let labels = Tensor::i32([batch], vec![EvalStep::IGNORED; batch]).context("labels")?;
    let inputs = [images, labels];
    let mut least: Vec<f64> = vec![];
    let mut calls = vec![];
    for _ in 0..runs + 3 {
        let profile = backend.profile(plan, &inputs)?;
        least.resize(profile.calls.len(), f64::INFINITY);
        least.iter_mut().zip(&profile.calls).for_each(|(least, call)| *least = least.min(call.seconds));
        calls = profile.calls;
    }
    for (call, seconds) in calls.iter().zip(&least) {
        let call = &call.call;
        println!(
            "{:9.1} us {:7.1} GFLOP/s {:6.1} GB/s  {:<14} {:<60} {}",
            seconds * 1e6,
            call.flops as f64 / seconds / 1e9,
            call.bytes as f64 / seconds / 1e9,
            call.kernel,
            call.shape,
            call.label
        );
    }
    println!("{:9.1} us in all", least.iter().sum::<f64>() * 1e6);
    Ok(())
}
