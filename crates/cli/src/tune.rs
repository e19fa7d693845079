//! `chiaro tune`: finds the fastest variants of a GPU's kernels at leisure, and keeps them for later runs.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use chiaro::gpu::{
    AllocationCounter, BackendOptions, ChoiceSources, Gpu, GpuBackend, KnownTables, OpenOptions, SearchOutcome,
    Selection, Tuning, user_cache_folder,
};
use chiaro::nn::{self, AdamW, TrainOptions, TrainStep, models};

use crate::output::{bytes, duration, line, note};
use crate::usage::Usage;

/// The choice of precision; a search has no device to leave it to.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum TunedPrecision {
    F32,
    F16,
}

/// Find the fastest variants of the kernels of a model on a GPU, and keep them for later runs
#[derive(clap::Args)]
pub struct Args {
    /// gpu, gpu:N, gpu:NAME or gpu:software
    #[arg(long, default_value = "gpu", value_name = "NAME")]
    device: String,
    /// Models to tune for; may be given several times
    #[arg(long, value_name = "NAME", default_value = "small-cnn")]
    model: Vec<String>,
    /// Images a step
    #[arg(long, default_value_t = 128, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Height and width of the images; those that suit the model if absent
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..))]
    size: Option<u32>,
    /// Channels of the images; those that suit the model if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    channels: Option<u32>,
    /// Classes to tell apart
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    classes: u32,
    /// The numbers that weights and activations are multiplied in: f32 or f16
    #[arg(long, value_enum, default_value_t = TunedPrecision::F32)]
    precision: TunedPrecision,
    /// The longest search for each model, in seconds
    #[arg(long, default_value_t = 300.0, value_name = "S")]
    seconds: f64,
    /// Write all that was ever found on this device to FILE, as a table that can ship with the program for devices of its kind
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let limit = Duration::try_from_secs_f64(args.seconds)
        .map_err(|_| Usage(format!("--seconds must be a number of at least 0, not {}", args.seconds)))?;
    let steps: Vec<(String, TrainStep)> =
        args.model.iter().map(|name| Ok((name.clone(), step(args, name)?))).collect::<anyhow::Result<_>>()?;
    if ["cpu", "reference"].contains(&args.device.trim().to_lowercase().as_str()) {
        return Err(Usage(format!("only GPUs are tuned, not '{}'", args.device)).into());
    }
    let cache = user_cache_folder();
    if cache.is_none() {
        note("note: there is no cache folder (see CHIARO_CACHE_DIR), so that nothing found here is kept");
    }
    let open = OpenOptions { cache, cooperative_matrix: true, ..OpenOptions::default() };
    let gpu = Gpu::open(&args.device.parse::<Selection>()?, open)?;
    line(&format!("device: {} ({})", gpu.summary(), gpu.why()))?;
    if let Some(table) = KnownTables::Shipped.of(gpu.summary()) {
        line(&format!(
            "{} kernels of such devices ship with the program, measured with {}",
            table.kernels(),
            table.measured()
        ))?;
    }
    let notes = gpu.notes().clone();
    let mut backend = GpuBackend::new(gpu, BackendOptions { tuning: Tuning::Kept, ..BackendOptions::default() });
    for (name, step) in steps {
        line(&format!("{name}, batch {}, {}:", args.batch, precision(args.precision).0))?;
        let (started, before, mut kernels) = (Instant::now(), backend.gpu().counters(), 0);
        // A reader that has gone ends the command after the search, which is kept all the same.
        let mut told = Ok(());
        backend.tune(&step.graph, limit, &mut |outcome| {
            kernels += 1;
            if told.is_ok() {
                told = line(&row(outcome));
            }
        })?;
        notes.take().iter().for_each(|text| note(&format!("note: {text}")));
        told?;
        line(&summary(kernels, started.elapsed(), before, backend.gpu().counters()))?;
        line(&sources(backend.choice_sources(&step.graph)?))?;
    }
    if let Some(path) = &args.export {
        let table = backend.known_table();
        let text = table.text().map_err(anyhow::Error::msg)?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        line(&format!("{} kernels written to {}", table.kernels(), path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn step(args: &Args, name: &str) -> anyhow::Result<TrainStep> {
    let [h, w, c] = models::named(name)?.image;
    let size = |usual: usize| args.size.map_or(usual, |size| size as usize);
    let image = [size(h), size(w), args.channels.map_or(c, |c| c as usize)];
    let model = models::by_name(name, args.classes as usize, image)?;
    let options = TrainOptions::new(args.batch as usize, AdamW::default());
    Ok(TrainStep::build(&model, TrainOptions { precision: precision(args.precision).1, ..options })?)
}

/// A precision's name and what it is to a training step.
fn precision(chosen: TunedPrecision) -> (&'static str, nn::Precision) {
    match chosen {
        TunedPrecision::F32 => ("f32", nn::Precision::F32),
        TunedPrecision::F16 => ("f16", nn::Precision::f16()),
    }
}

/// What a search took.
fn summary(kernels: usize, time: Duration, before: AllocationCounter, now: AllocationCounter) -> String {
    format!(
        "  {kernels} kernels searched in {}: {} variants compiled, {} dispatches, {} up, {} down",
        duration(time),
        now.pipelines - before.pipelines,
        now.dispatches - before.dispatches,
        bytes((now.uploaded - before.uploaded) as f64),
        bytes((now.downloaded - before.downloaded) as f64),
    )
}

/// Whose choices a model's kernels have now.
fn sources(ChoiceSources { found, known, suggested }: ChoiceSources) -> String {
    let all = [(found, "as found here"), (known, "by the table of such devices"), (suggested, "as shapes suggest")];
    let told = all.iter().filter(|(kernels, _)| *kernels > 0).map(|(kernels, whose)| format!("{kernels} {whose}"));
    format!("  its kernels: {}", told.collect::<Vec<_>>().join(", "))
}

fn row(outcome: &SearchOutcome) -> String {
    let time = |seconds: f64| duration(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    let kernel = outcome.kernel.split(['(', ' ']).next().unwrap_or_default();
    let rejected = match outcome.rejected {
        0 => String::new(),
        n => format!(", {n} rejected"),
    };
    format!(
        "  {kernel:<16} {:<28} {:>9} -> {:>9}  {} (of {}{rejected})",
        outcome.label,
        time(outcome.plain_seconds),
        time(outcome.best_seconds),
        outcome.chosen,
        outcome.tried,
    )
}
