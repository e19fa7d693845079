//! Chiaro's side of the comparison with other frameworks: trains the networks that every peer trains, from the same weights and
//! images, and prints one line of JSON. See README.md.

mod accuracy;
mod numbers;
mod operators;
mod predict;
mod report;
mod training;

use anyhow::Result;
use chiaro::{Device, DeviceOptions};
use clap::{Parser, ValueEnum};
use report::Report;
use std::path::PathBuf;
use std::time::Instant;

/// Times one workload and prints one line of JSON.
#[derive(Parser)]
struct Args {
    #[arg(long, value_enum, default_value = "w1")]
    workload: Workload,
    /// Seconds of measurement.
    #[arg(long, default_value_t = 20.0)]
    budget: f64,
    /// A device's name, such as cpu, gpu, gpu:software or reference.
    #[arg(long, default_value = "cpu")]
    backend: String,
    /// In which the layers compute; operations alone are always f32.
    #[arg(long, value_enum, default_value = "f32")]
    precision: Precision,
    /// Digits for mnist-acc, an ONNX file for predict-1 and predict-32.
    #[arg(long, default_value = "mnist5k.bin")]
    data: PathBuf,
    /// Threads of the CPU backend; one a core if absent or 0.
    #[arg(long)]
    threads: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Precision {
    F32,
    F16,
}

#[derive(Clone, Copy, ValueEnum)]
enum Workload {
    /// 28x28 CNN, batch 64, Adam.
    W1,
    /// 64x64 CNN, batch 32, Adam.
    W2,
    /// ResNet-18 on 32x32, batch 32, SGD with momentum.
    W3,
    /// Product of 1024x1024 matrices.
    W4Matmul,
    /// One 3x3 convolution, forward.
    W4Conv,
    /// w1 on 4,000 real digits.
    MnistAcc,
    /// An ONNX file on one image.
    #[value(name = "predict-1")]
    Predict1,
    /// An ONNX file on 32 images at a time.
    #[value(name = "predict-32")]
    Predict32,
}

fn main() -> Result<()> {
    let start = Instant::now();
    let args = Args::parse();
    let workload = args.workload.to_possible_value().map_or(String::new(), |v| v.get_name().to_string());
    let half = args.precision == Precision::F16;
    let name = if half { format!("{} f16", args.backend) } else { args.backend.clone() };
    let precision = if half { chiaro::nn::Precision::f16() } else { chiaro::nn::Precision::F32 };
    let report = Report { backend: name, workload, budget: args.budget, start };
    // Nothing of an earlier run may shorten the start.
    let options = DeviceOptions { threads: args.threads.filter(|&n| n > 0), cache: None, ..DeviceOptions::default() };
    let mut device = Device::by_name(&args.backend, &options)?;
    let backend = device.backend();
    match args.workload {
        Workload::W1 => training::time(backend, &training::SMALL, precision, &report),
        Workload::W2 => training::time(backend, &training::TUTORIAL, precision, &report),
        Workload::W3 => training::time(backend, &training::RESNET, precision, &report),
        Workload::W4Matmul => operators::matmul(backend, &report),
        Workload::W4Conv => operators::conv(backend, &report),
        Workload::MnistAcc => accuracy::run(backend, &args.data, precision, &report),
        Workload::Predict1 => predict::time(backend, &args.data, 1, &report),
        Workload::Predict32 => predict::time(backend, &args.data, 32, &report),
    }
}
