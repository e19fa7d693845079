//! `chiaro train`: trains a model, or goes on with a run.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use chiaro::data::{OpenOptions, Split};
use chiaro::graph::Shared;
use chiaro::train::{
    Augmentation, Data, DataPlace, Ending, LikeOptions, Measure, PrecisionName, RunFolder, TrainConfig, TrainError,
    Trainer, short,
};

use crate::bars::Bars;
use crate::dump::Dump;
use crate::interrupt::stop_on_signals;
use crate::output::{bytes, line, note};
use crate::overrides::Overrides;
use crate::profile::{Profiled, Subject};
use crate::waiting::Waiting;
use crate::{device, find_data, models, notes};

/// Train a model: with no arguments, the small CNN on MNIST
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    overrides: Overrides,
    /// Threads of the CPU backend, and at most so many that open and load data; one a core if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Choose a GPU's kernels by their shapes alone: no search, and nothing that an earlier one found
    #[arg(long)]
    no_tune: bool,
    /// The run folder to make; runs/ with the date and a number if absent
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Go on with the run in this folder
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Write a trace of one step, for Perfetto or chrome://tracing, and show where its time goes
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Write every kernel of the training and the evaluation step as WGSL and SPIR-V into this folder and run nothing;
    /// works on any adapter
    #[arg(long, value_name = "DIR", conflicts_with_all = ["resume", "out", "profile"])]
    dump_kernels: Option<PathBuf>,
    /// Stop as by Ctrl-C after so many steps
    #[arg(long, value_name = "STEPS", hide = true)]
    interrupt_after: Option<u64>,
}

/// Settings and data of a run, new or to go on with.
struct Run {
    config: TrainConfig,
    data: Data,
    resumed: Option<RunFolder>,
}

/// Runs the subcommand.
pub fn run(args: &Args, started: Instant) -> anyhow::Result<ExitCode> {
    device::limit_threads(args.threads)?;
    let run = match &args.resume {
        Some(folder) => resumed(args, folder)?,
        None => new(args)?,
    };
    let Run { config, data, resumed } = run;
    let task = config.named_task()?;
    notes::report(&*task, &data);
    task.check_data(&*data.train, &*data.eval)?;
    let outputs = task.outputs(data.classes());
    let (model, layers) = models::fitting(&config.model, outputs, data.train.image_shape())?;
    if let Some(path) = &args.dump_kernels {
        let dump = Dump::new(path, &config.device, &device::options(args.threads, args.no_tune), &["train", "eval"])?;
        let dump = Rc::new(RefCell::new(dump));
        Trainer::new(Shared::from(Rc::clone(&dump)), &model, &data, &config)?;
        dump.borrow().finish()?;
        return Ok(ExitCode::SUCCESS);
    }
    let preparing = Waiting::new("opening the device");
    let device = device::open(&config.device, args.threads, args.no_tune)?;
    let (name, why, device_notes) = (device.name(), device.why().to_string(), device.notes().clone());
    preparing.says(format!("preparing {} for {name}", config.model));
    let mut trainer = Trainer::new(device.share(), &model, &data, &config)?;
    drop(preparing);
    device_notes.take().iter().for_each(|text| note(&format!("note: {text}")));
    let folder = match (resumed, &args.out) {
        (Some(folder), _) => {
            trainer.resume(&folder)?.iter().for_each(|text| note(&format!("note: {text}")));
            folder
        }
        (None, Some(path)) => RunFolder::create(path)?,
        (None, None) => RunFolder::create_in(Path::new("runs"))?,
    };
    // Where the precision was left to the device, the run goes on in what it chose.
    let config = trainer.config().clone();
    if trainer.epochs_done() >= config.epochs {
        line(&format!("all {} epochs are done; --epochs with a larger number adds more", trainer.epochs_done()))?;
        report_end(&trainer, data.split, &folder)?;
        return Ok(ExitCode::SUCCESS);
    }
    folder.write_config(&trainer.record(&name))?;

    line(layers.to_string().trim_end())?;
    line(&format!(
        "data: {}, {} training and {} {} images",
        config.data.display(),
        data.train.len(),
        data.eval.len(),
        data.split.word()
    ))?;
    line(&notes::classes(&*task, &*data.train))?;
    line(&steps_line(&trainer))?;
    line(&format!("device: {name} ({why})"))?;
    if config.precision == PrecisionName::F16 {
        line("precision: f16, weights and sums in f32")?;
    }
    line(&format!(
        "memory: {} on the device for batches of {}",
        bytes(trainer.device_bytes() as f64),
        config.batch_size
    ))?;
    line(&place_line(trainer.data_place()))?;
    line(&format!("run folder: {}", folder.path().display()))?;
    let split = data.split;
    // Images that are on the device need not be here too.
    drop(data);

    let interrupt = stop_on_signals()?;
    let stop = interrupt.stop.clone();
    let mut bars = Bars::new(started, split, task, args.interrupt_after, stop.clone());
    let ending = match &args.profile {
        None => trainer.fit(Some(&folder), &mut bars, &stop),
        Some(path) => {
            trainer.profile_step(WARM_UP.min(steps_left(&trainer, config.epochs).saturating_sub(1)));
            let step = format!("a step of {} with batches of {}", config.model, config.batch_size);
            let mut profiled = Profiled::new(&mut bars, path, Subject { name: &step, device: &name, peaks: None });
            let ending = trainer.fit(Some(&folder), &mut profiled, &stop);
            profiled.saved()?;
            ending
        }
    };
    bars.close();
    match ending.map_err(|error| with_remedy(error, folder.path()))? {
        Ending::Finished => report_end(&trainer, split, &folder)?,
        Ending::Interrupted => {
            // Where the terminal has gone there is nobody to tell it to.
            let _ = line(&format!("interrupted and saved; go on with: chiaro train --resume {}", shell(folder.path())));
            return Ok(interrupt.exit_code());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What came out, and what to do with it.
fn report_end(trainer: &Trainer, split: Split, folder: &RunFolder) -> anyhow::Result<()> {
    let path = folder.path();
    if let Some(best) = trainer.best() {
        let measure = trainer.task().eval_measures().first().copied().unwrap_or(Measure::LOSS).shown(best.score);
        line(&format!("best {split} {measure} in epoch {}; saved in {}", best.epoch, path.display()))?;
    }
    line(&format!("evaluate it with: chiaro eval {}", shell(path)))?;
    line(&format!("classify images with: chiaro predict {} FILES", shell(path)))
}

/// A loss that is not finite with the command that follows the advice.
fn with_remedy(error: TrainError, folder: &Path) -> anyhow::Error {
    match &error {
        TrainError::NonFinite { try_lr, .. } => {
            anyhow::anyhow!("{error}: chiaro train --resume {} --lr {}", shell(folder), short(*try_lr))
        }
        _ => error.into(),
    }
}

/// A path as a shell takes it.
fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/\\:._-+~@%".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// One line on the steps of an epoch, and the images that they leave out.
fn steps_line(trainer: &Trainer) -> String {
    let (steps, left) = (trainer.steps_per_epoch(), trainer.left_out());
    let line = format!("steps: {steps} an epoch, of {} images each", trainer.config().batch_size);
    match left {
        0 => line,
        _ => format!("{line}; {left} more fill no batch and are left out, others in each epoch"),
    }
}

/// Steps before the one that is profiled: the first ones allocate and compile.
const WARM_UP: usize = 5;

fn steps_left(trainer: &Trainer, epochs: usize) -> usize {
    epochs.saturating_sub(trainer.epochs_done()) * trainer.steps_per_epoch()
}

fn new(args: &Args) -> anyhow::Result<Run> {
    // What was given, so that the data can be opened as it says; what suits the data comes after.
    let mut given = TrainConfig::default();
    args.overrides.apply(&mut given)?;
    if args.overrides.is_given("model") {
        // Before minutes are spent on opening data.
        chiaro::nn::models::named(&given.model)?;
    }
    let folder = if args.overrides.is_given("data") { given.data } else { find_data::mnist()? };
    let (size, strict, limit) = (given.size, given.strict, given.limit);
    let opening = Waiting::opening(&folder);
    let progress = Some(opening.progress());
    let data = Data::open(&folder, &OpenOptions { size, strict, limit, progress, ..OpenOptions::default() })?;
    drop(opening);
    let mut config = TrainConfig::suited_to("", &*data.train);
    config.augment = Augmentation::usual(data.layout);
    args.overrides.apply(&mut config)?;
    // Whoever goes on with the run may be in another folder.
    config.data = folder.canonicalize().unwrap_or(folder);
    config.check()?;
    Ok(Run { config, data, resumed: None })
}

fn resumed(args: &Args, path: &Path) -> anyhow::Result<Run> {
    // Before anything of the run is looked at.
    args.overrides.apply_on_resume(&mut TrainConfig::default())?;
    let folder = RunFolder::open(path)?;
    folder.claim()?.iter().for_each(|text| note(&format!("note: {text}")));
    let recorded = folder.config()?;
    let (info, mut config) = (recorded.model_info(), recorded.settings);
    args.overrides.apply_on_resume(&mut config)?;
    config.check()?;
    let opening = Waiting::opening(&config.data);
    let progress = Some(opening.progress());
    let options = LikeOptions { strict: config.strict, limit: config.limit, progress };
    let data = Data::open_like(&config.data, &options, &info)?;
    drop(opening);
    Ok(Run { config, data, resumed: Some(folder) })
}

/// One line on where the images are.
fn place_line(place: DataPlace) -> String {
    let mb = |n: u64| bytes(n as f64);
    match place {
        DataPlace::Device { bytes } => format!("data on the device: {}", mb(bytes)),
        DataPlace::TooLarge { bytes, room } => {
            format!("data is uploaded batch by batch: it needs {}, the device has room for {}", mb(bytes), mb(room))
        }
        DataPlace::Host => "data is uploaded batch by batch, as --resident off asks".to_string(),
    }
}
