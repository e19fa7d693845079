//! `chiaro models`: the models there are, and how fast they are here.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use chiaro::graph::{Backend, DType, PlanId, Tensor};
use chiaro::nn::models::NamedModel;
use chiaro::nn::{EvalStep, Model, NnError, Sgd, Summary, TrainOptions, TrainStep, models};
use chiaro::train::{Saved, named_model};

use crate::device::DeviceArgs;
use crate::output::line;
use crate::waiting::Waiting;

/// List the models, or those that are named
#[derive(clap::Args)]
pub struct Args {
    /// Names, TOML files that describe models, ONNX files, or run folders; all models if absent
    names: Vec<String>,
    /// Measure the images a second of prediction and of training on this device; takes seconds a model
    #[arg(long)]
    measure: bool,
    /// Images a step while measuring
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), requires = "measure")]
    batch: u32,
    #[command(flatten)]
    device: DeviceArgs,
}

/// A model for these classes and images, and its layers. Where it does not fit the images, the error says so before it names
/// the layer at fault.
pub fn fitting(named: &NamedModel, classes: usize, [h, w, c]: [usize; 3]) -> anyhow::Result<(Model, Summary)> {
    let name = &named.name;
    let made = named.build(classes, [h, w, c]).map(|model| {
        let layers = Summary::of(&model);
        (model, layers)
    });
    let channels = if c == 1 { "channel" } else { "channels" };
    made.map_err(|error| match error {
        NnError::Graph(_) => anyhow::Error::new(error)
            .context(format!("{name} does not fit images of {h}x{w} with {c} {channels} (--size chooses another)")),
        other => other.into(),
    })
}

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let all = if args.names.is_empty() { models::names() } else { args.names.clone() };
    let all: Vec<NamedModel> = all.iter().map(|name| named_or_file(name)).collect::<anyhow::Result<_>>()?;
    let mut device = args.measure.then(|| args.device.open()).transpose()?;
    let head = format!("{:<18}  {:>10}  {:>12}  {:>10}", "model", "image", "parameters", "MFLOP");
    let more = if args.measure { format!("  {:>10}  {:>10}", "predicts/s", "trains/s") } else { String::new() };
    line(&format!("{head}{more}"))?;
    for known in all {
        let ([h, w, c], model) = (known.image, known.usual(CLASSES)?);
        let summary = Summary::of(&model);
        let (image, parameters, name) = (format!("{h}x{w}x{c}"), summary.parameters(), &known.name);
        let speeds = match &mut device {
            Some(device) => {
                let waiting = Waiting::new(format!("measuring {name}"));
                let speeds = measured(device.backend(), &model, args.batch as usize)?;
                drop(waiting);
                format!("  {:>10.1}  {:>10.1}", speeds[0], speeds[1])
            }
            None => String::new(),
        };
        line(&format!("{name:<18}  {image:>10}  {parameters:>12}  {:>10.1}{speeds}", summary.flops() as f64 / 1e6))?;
    }
    line("for 10 classes and the usual image; MFLOP of the forward pass of one image")?;
    if let Some(device) = &device {
        line(&format!("images a second on {}, {} a step", device.name(), args.batch))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A model by its name, or that of a run or an ONNX file.
fn named_or_file(name: &str) -> anyhow::Result<NamedModel> {
    match named_model(name, None) {
        Err(_) if Path::new(name).exists() && !name.ends_with(models::DESCRIBED) => {
            let saved = Saved::load(Path::new(name))?;
            Ok(named_model(&saved.info().model, saved.info().described.as_deref())?)
        }
        named => Ok(named?),
    }
}

const CLASSES: usize = 10;

/// Images a second of prediction and of training.
fn measured(backend: &mut dyn Backend, model: &Model, batch: usize) -> anyhow::Result<[f64; 2]> {
    let [h, w, c] = model.image;
    let images = Tensor::zeros([batch, h, w, c], DType::F32);
    let labels = Tensor::zeros([batch], DType::I32);
    let options = TrainOptions::new(batch, Sgd { momentum: 0.9, nesterov: false, weight_decay: 0.0 });
    let train = TrainStep::build(model, options)?;
    let eval = EvalStep::build(model, batch)?;
    let plans = [backend.compile(&eval.graph)?, backend.compile(&train.graph)?];
    for (name, values) in train.initial_arenas(0) {
        backend.write_arena(&name, &values)?;
    }
    let predicting = vec![images.clone(), labels.clone()];
    let predicts = per_second(backend, plans[0], &predicting, batch)?;
    // A rate of 0 keeps the weights as they were drawn.
    let trains = per_second(backend, plans[1], &train.inputs(images, labels, 0, 0, 0.0), batch)?;
    plans.iter().try_for_each(|plan| backend.release_plan(*plan))?;
    // The next model's weights have other extents.
    for arena in train.graph.arenas().iter().chain(eval.graph.arenas()) {
        let _ = backend.release_arena(&arena.name);
    }
    Ok([predicts, trains])
}

/// Seconds and runs that are measured at least, after one that warms up.
const LEAST: (f64, u32) = (0.5, 3);

fn per_second(backend: &mut dyn Backend, plan: PlanId, inputs: &[Tensor], batch: usize) -> anyhow::Result<f64> {
    backend.run(plan, inputs)?;
    backend.read(plan, 0)?;
    let (started, mut runs) = (Instant::now(), 0);
    while runs < LEAST.1 || started.elapsed().as_secs_f64() < LEAST.0 {
        backend.run(plan, inputs)?;
        runs += 1;
    }
    backend.read(plan, 0)?;
    Ok(f64::from(runs) * batch as f64 / started.elapsed().as_secs_f64())
}
