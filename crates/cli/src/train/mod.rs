//! `chiaro train`: trains a model, or goes on with a run.

pub mod begin;
pub mod pretrained;
mod seeds;
pub mod words;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use chiaro::graph::Shared;
use chiaro::nn::Model;
use chiaro::train::{
    self, Data, Ending, Measure, Observer, Results, RunFolder, Saved, Stop, TrainConfig, TrainError, Trainer,
};

use crate::bars::Bars;
use crate::dump::Dump;
use crate::events::Events;
use crate::interrupt::{Interrupt, stop_on_signals};
use crate::mlflow::Mlflow;
use crate::observers::Observers;
use crate::output::{line, note};
use crate::overrides::Overrides;
use crate::profile::{Profiled, Subject};
use crate::usage::Usage;
use crate::waiting::Waiting;
use crate::{device, models, notes, train_log};
use begin::Run;

/// Train a model: with no arguments, the small CNN on MNIST
#[derive(clap::Args)]
pub struct Args {
    /// The data set: a folder, a table of labels (CSV), or mnist, fashion-mnist, cifar10 or cifar100, which are downloaded once
    #[arg(value_name = "DATA", conflicts_with = "data")]
    folder: Option<String>,
    #[command(flatten)]
    overrides: Overrides,
    /// Threads of the CPU backend, and at most so many that open and load data; one a core if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Choose a GPU's kernels by their shapes alone: no search, and nothing that an earlier one found
    #[arg(long)]
    no_tune: bool,
    /// Begin with weights that were trained before: those that are known for the model (efficientnet-lite0 without --model), downloaded
    /// once; or --pretrained=PATH, a file or a run's folder
    #[arg(long, value_name = "PATH", num_args = 0..=1, require_equals = true, default_missing_value = "", conflicts_with_all = ["resume", "init"])]
    pretrained: Option<String>,
    /// Download nothing
    #[arg(long)]
    offline: bool,
    /// Start with the settings of this file: args.toml of a run, or some that you wrote. Options beside it replace them
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    settings: Option<PathBuf>,
    /// The run folder to make; runs/train, runs/train2 and so on if absent. Of --seeds and --folds each has a folder in it, and the same
    /// command again goes on with those that are not done; runs/seeds and so on if absent
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Go on with the run in this folder
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Train so many times, by this seed and those after it, and tell mean and deviation
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), conflicts_with_all = ["resume", "profile", "dump_kernels"])]
    seeds: Option<u16>,
    /// Tell each epoch in a line, and draw nothing on the terminal
    #[arg(long)]
    plain: bool,
    /// Append what happens to this file, for programs: a JSON object a line
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
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

/// How a run has ended.
pub struct Ended {
    /// What came of it, where it came to its end.
    results: Option<Results>,
    /// The measures of its task.
    measures: Vec<Measure>,
    /// The exit code, where it was interrupted.
    code: Option<ExitCode>,
}

/// Runs the subcommand.
pub fn run(args: &Args, started: Instant) -> anyhow::Result<ExitCode> {
    device::limit_threads(args.threads)?;
    let given = args.overrides.with("data", args.folder.as_ref());
    // What looks at one step looks at that of the first fold.
    let each_fold = given.is_given("folds") && !given.is_given("fold") && args.resume.is_none();
    let each_fold = each_fold && args.profile.is_none() && args.dump_kernels.is_none();
    match (args.seeds, given.text("folds").and_then(|text| text.parse().ok()).filter(|&count| each_fold && count > 1)) {
        (Some(_), Some(_)) => {
            Err(Usage("--seeds and --folds: choose one fold with --fold, or leave out one of both".into()).into())
        }
        (Some(count), None) => seeds::run(args, &given, count.into(), started),
        (None, Some(count)) => seeds::folds(args, &given, count, started),
        (None, None) => {
            let place = args.resume.as_deref().map_or(Place::New(args.out.as_deref()), Place::Begun);
            let ended = one(args, &given, place, &mut None, started)?;
            Ok(ended.code.unwrap_or(ExitCode::SUCCESS))
        }
    }
}

/// Where a run is, or will be.
#[derive(Clone, Copy)]
pub enum Place<'p> {
    /// In a folder to be made, a numbered one in `runs` if absent.
    New(Option<&'p Path>),
    /// In this folder, where it was begun.
    Begun(&'p Path),
}

/// One run.
fn one(
    args: &Args,
    given: &Overrides,
    place: Place<'_>,
    interrupt: &mut Option<Interrupt>,
    started: Instant,
) -> anyhow::Result<Ended> {
    train_log::begin();
    let events = args.events.as_deref().map(Events::open).transpose()?;
    let Run { mut config, data, model, resumed, begins_with } = match place {
        Place::Begun(folder) => begin::resumed(given, folder)?,
        Place::New(_) => begin::new(given, args.settings.as_deref(), args.pretrained.as_deref(), args.offline)?,
    };
    let task = config.named_task()?;
    let measures = task.eval_measures();
    task.check_data(&*data.train, &*data.eval)?;
    notes::report(&*task, &data);
    let outputs = task.outputs(data.classes());
    let (model, layers) = models::fitting(&model, outputs, data.train.image_shape())?;
    if let Some(path) = &args.dump_kernels {
        dump(args, path, &model, &data, &config)?;
        return Ok(Ended { results: None, measures, code: None });
    }
    let preparing = Waiting::new("opening the device");
    let device = device::open(&config.device, args.threads, args.no_tune)?;
    let name = device.name();
    begin::fit_batch(given, &device, &model, &data, &mut config)?;
    preparing.says(format!("preparing {} for {name}", config.model));
    let mut trainer = Trainer::new(device.share(), &model, &data, &config)?;
    drop(preparing);
    device.notes().take().iter().for_each(|text| note(&format!("note: {text}")));
    let folder = folder_of(&mut trainer, resumed, begins_with, place)?;
    train_log::into(folder.path()).iter().for_each(|text| note(&format!("note: {text}")));
    let split = data.split;
    if trainer.epochs_done() >= trainer.config().epochs {
        line(&format!("all {} epochs are done; --epochs with a larger number adds more", trainer.epochs_done()))?;
        // A run that was killed before its very end has not measured its best weights yet.
        trainer.fit(Some(&folder), &mut (), &Stop::default())?;
        words::after(&trainer, split, &folder)?;
        return Ok(Ended { results: folder.results()?, measures, code: None });
    }
    // Where the precision was left to the device, the run goes on in what it chose.
    folder.write_config(&trainer.record(&name))?;
    words::before(&trainer, &layers, &data, &device, &folder)?;
    // Images that are on the device need not be here too.
    drop(data);
    let interrupt = match interrupt {
        Some(interrupt) => interrupt,
        None => interrupt.insert(stop_on_signals()?),
    };
    let view = (!args.plain).then(|| words::view(&trainer, &name));
    let mut bars = Bars::new(started, split, task, args.interrupt_after, interrupt.stop.clone(), view)
        .within(trainer.config().epochs, trainer.config().time_limit.filter(|_| trainer.epochs_done() == 0));
    let ending = watched(&mut trainer, &folder, &mut bars, events, args.profile.as_deref(), &name, &interrupt.stop)?;
    match ending {
        Ending::Finished => {}
        early @ (Ending::NoBetter | Ending::OutOfTime) => line(&words::early(early, &trainer))?,
        Ending::Interrupted => {
            let again = words::shell(folder.path());
            // Where the terminal has gone there is nobody to tell it to.
            let _ = line(&format!("interrupted and saved; go on with: chiaro train --resume {again}"));
            return Ok(Ended { results: None, measures, code: Some(interrupt.exit_code()) });
        }
    }
    words::after(&trainer, split, &folder)?;
    Ok(Ended { results: folder.results()?, measures, code: None })
}

/// Writes every kernel of the run, and runs nothing.
fn dump(args: &Args, path: &Path, model: &Model, data: &Data, config: &TrainConfig) -> anyhow::Result<()> {
    let options = device::options(args.threads, args.no_tune);
    let names = plans(train::phase_count(model, data, config)?);
    let dump = Rc::new(RefCell::new(Dump::new(path, &config.device, &options, names)?));
    Trainer::new(Shared::from(Rc::clone(&dump)), model, data, config)?;
    dump.borrow().finish()
}

/// Begins, with weights where there are some, in a new folder; or goes on with the run of this one.
fn folder_of(
    trainer: &mut Trainer,
    resumed: Option<RunFolder>,
    begins_with: Option<Saved>,
    place: Place<'_>,
) -> anyhow::Result<RunFolder> {
    let notes = match (&resumed, begins_with) {
        (Some(folder), _) => trainer.resume(folder)?,
        (None, Some(saved)) => trainer.begin_with(&saved)?,
        (None, None) => trainer.begin()?,
    };
    notes.iter().for_each(|text| note(&format!("note: {text}")));
    match (resumed, place) {
        (Some(folder), _) => Ok(folder),
        (None, Place::New(Some(out)) | Place::Begun(out)) => Ok(RunFolder::create(out)?),
        (None, Place::New(None)) => Ok(RunFolder::create_in(Path::new("runs"))?),
    }
}

/// Trains to the end before all who watch: the terminal, the file of events, MLflow.
fn watched(
    trainer: &mut Trainer,
    folder: &RunFolder,
    bars: &mut Bars,
    mut events: Option<Events>,
    profile: Option<&Path>,
    device: &str,
    stop: &Stop,
) -> anyhow::Result<Ending> {
    let mut all = Observers(vec![&mut *bars]);
    if let Some(events) = &mut events {
        events.begin(folder, trainer);
        all.0.push(events);
    }
    let mut mlflow = Mlflow::begin(folder, trainer);
    if let Some(mlflow) = &mut mlflow {
        all.0.push(mlflow);
    }
    let ending = fit(trainer, folder, profile, device, &mut all, stop)?;
    bars.close();
    let ending = ending.map_err(|error| words::with_remedy(error, folder.path()));
    events.iter_mut().for_each(|events| events.end(&ending, trainer));
    mlflow.into_iter().for_each(|mlflow| mlflow.end(&ending));
    ending
}

/// Names of what a run compiles, in its order: the step of each phase, and the evaluation.
fn plans(phases: usize) -> Vec<String> {
    let step = |number: usize| if number == 1 { "train".to_string() } else { format!("train-{number}") };
    (1..=phases).map(step).chain(["eval".to_string()]).collect()
}

/// Trains to the end, with a trace of one step where there is a file for it.
fn fit(
    trainer: &mut Trainer,
    folder: &RunFolder,
    profile: Option<&Path>,
    device: &str,
    observer: &mut dyn Observer,
    stop: &Stop,
) -> anyhow::Result<Result<Ending, TrainError>> {
    let Some(path) = profile else { return Ok(trainer.fit(Some(folder), observer, stop)) };
    let (model, batch, epochs) = (trainer.config().model.clone(), trainer.config().batch_size, trainer.config().epochs);
    trainer.profile_step(WARM_UP.min(steps_left(trainer, epochs).saturating_sub(1)));
    let step = format!("a step of {model} with batches of {batch}");
    let mut profiled = Profiled::new(observer, path, Subject { name: &step, device, peaks: None });
    let ending = trainer.fit(Some(folder), &mut profiled, stop);
    profiled.saved()?;
    Ok(ending)
}

/// Steps before the one that is profiled: the first ones allocate and compile.
const WARM_UP: usize = 5;

fn steps_left(trainer: &Trainer, epochs: usize) -> usize {
    epochs.saturating_sub(trainer.epochs_done()) * trainer.steps_per_epoch()
}
