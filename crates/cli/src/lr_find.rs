//! `chiaro lr-find`: a learning rate for a model and its data.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use chiaro::train::lr_find::RateRange;
use chiaro::train::{Trainer, short};

use crate::interrupt::stop_on_signals;
use crate::output::{line, note};
use crate::overrides::Overrides;
use crate::train::begin::{self, Run};
use crate::train::words::shell;
use crate::waiting::Waiting;
use crate::{device, models, notes};

/// Find a learning rate: a few hundred steps at rates that rise until the loss diverges. Takes the options of `chiaro train`, and ends
/// with the command that trains
#[derive(clap::Args)]
pub struct Args {
    /// The data set, as `chiaro train` takes it
    #[arg(value_name = "DATA", conflicts_with = "data")]
    folder: Option<String>,
    #[command(flatten)]
    overrides: Overrides,
    /// The first rate
    #[arg(long, value_name = "RATE", default_value_t = RateRange::default().low)]
    from: f64,
    /// The rate of the last step
    #[arg(long, value_name = "RATE", default_value_t = RateRange::default().high)]
    to: f64,
    /// Steps
    #[arg(long, value_name = "N", default_value_t = RateRange::default().steps)]
    steps: usize,
    /// Draw the losses by rate into this file, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Threads of the CPU backend, and at most so many that open and load data; one a core if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Choose a GPU's kernels by their shapes alone
    #[arg(long)]
    no_tune: bool,
    /// Download nothing
    #[arg(long)]
    offline: bool,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    device::limit_threads(args.threads)?;
    let range = RateRange { low: args.from, high: args.to, steps: args.steps };
    range.check()?;
    let given = args.overrides.with("data", args.folder.as_ref());
    let Run { mut config, data, model, .. } = begin::new(&given, None, None, args.offline)?;
    let task = config.named_task()?;
    task.check_data(&*data.train, &*data.eval)?;
    notes::report(&*task, &data);
    let (model, _) = models::fitting(&model, task.outputs(data.classes()), data.train.image_shape())?;
    let waiting = Waiting::new("opening the device");
    let device = device::open(&config.device, args.threads, args.no_tune)?;
    begin::fit_batch(&given, &device, &model, &data, &mut config)?;
    waiting.says(format!("preparing {} for {}", config.model, device.name()));
    let mut trainer = Trainer::new(device.share(), &model, &data, &config)?;
    trainer.begin()?.iter().for_each(|text| note(&format!("note: {text}")));
    let interrupt = stop_on_signals()?;
    let steps = args.steps;
    let found = trainer.find_rate(range, |step| waiting.says(format!("step {step} of {steps}")), &interrupt.stop)?;
    drop(waiting);

    line(&format!(
        "{} on {}, {} steps of {} images",
        config.model,
        device.name(),
        found.points.len(),
        config.batch_size
    ))?;
    let plot = found.plot();
    line(&plot.to_text())?;
    if let Some(path) = &args.plot {
        std::fs::write(path, plot.to_svg()).with_context(|| format!("cannot write {}", path.display()))?;
        line(&format!("drawn in {}", path.display()))?;
    }
    if found.diverged {
        let last = found.points.last().map_or(range.low, |point| point.rate);
        line(&format!("the loss diverges at a rate of {}", short(last)))?;
    }
    let Some(rate) = found.suggestion() else {
        line("the loss falls at none of these rates: try others (--from, --to), or more --steps")?;
        return Ok(ExitCode::FAILURE);
    };
    let rate = short(rounded(rate));
    line(&format!("suggestion: {rate}, where the loss falls steepest"))?;
    let batch = if given.auto_batch() { format!(" --batch-size {}", config.batch_size) } else { String::new() };
    let others = given.shown(&["data", "lr"]);
    line(&format!("train with it: chiaro train {}{others}{batch} --lr {rate}", shell(&config.data)))?;
    Ok(ExitCode::SUCCESS)
}

/// The first two digits.
fn rounded(rate: f64) -> f64 {
    format!("{rate:.1e}").parse().unwrap_or(rate)
}
