//! `chiaro eval`: how good a trained model is.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chiaro::data::{DataError, Split};
use chiaro::train::{
    Classifier, ClassifierOptions, DataInfo, EvalData, EvalOptions, Evaluator, LikeOptions, Saved, TrainConfig,
    TrainError,
};

use crate::device::{DeviceArgs, limit_threads};
use crate::find_data;
use crate::notes;
use crate::output::{line, note};
use crate::predictions;
use crate::tta::Tta;
use crate::usage::Usage;
use crate::waiting::Waiting;

/// Images a step where no settings tell.
const BATCH: usize = 64;

/// Loss and measures of a trained model, and what its task tells of them: of a classification top-5 accuracy and calibration error,
/// precision, recall, F1, AUROC and average precision of each class and their means, and the confusion matrix
#[derive(clap::Args)]
pub struct Args {
    /// A run folder, weights in one, or an ONNX file
    run: PathBuf,
    /// Folder of the data set; that of the run if absent
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The images to use: train, val or test; if absent those that training evaluates on, of other data all if it has no splits
    #[arg(long, value_name = "NAME")]
    split: Option<Split>,
    /// Download nothing
    #[arg(long)]
    offline: bool,
    /// Refuse corrupt images, where otherwise they are skipped
    #[arg(long)]
    strict: bool,
    /// Use only so many images
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Write what the model says of each image to this CSV file, and show the worst mistakes
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    #[command(flatten)]
    tta: Tta,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    limit_threads(args.device.threads)?;
    let saved = Saved::load(&args.run)?;
    saved.notes().iter().for_each(|text| note(&format!("note: {text}")));
    let settings = saved.config.as_ref().map(|config| &config.settings);
    let folder = args
        .data
        .as_ref()
        .or(settings.map(|s| &s.data))
        .filter(|data| !data.as_os_str().is_empty())
        .ok_or_else(|| Usage(format!("{} tells no data: name it with --data", saved.path.display())))?;
    // The run's limit, and what it held out, go with its own data; other data is taken whole.
    let own = settings.filter(|settings| is_same(folder, &settings.data));
    let limit = args.limit.map(|limit| limit as usize).or(own.and_then(|settings| settings.limit));
    let holdout = own.map(TrainConfig::holdout);
    let pack_dir = find_data::packs(settings.and_then(|settings| settings.data_cache.as_deref()));
    let folder = &find_data::named_or_folder(folder, args.offline)?;
    let opening = Waiting::opening(folder);
    let options = LikeOptions { strict: args.strict, limit, holdout, pack_dir, progress: Some(opening.progress()) };
    let data = opened(folder, args.split, &options, &saved, own.is_some())?;
    drop(opening);
    notes::left_out(&data.notes);
    let task = saved.task()?;
    notes::without_images(&*task, &*data.set, data.split.word());
    let waiting = Waiting::new("opening the device");
    let mut device = args.device.open()?;
    let (name, why) = (device.name(), device.why().to_string());
    let model = saved.model()?;
    waiting.says(format!("preparing {} for {name}", model.name));
    let batch = settings.map_or(BATCH, |s| s.batch_size).min(data.set.len());
    let backend = device.backend();
    let options = EvalOptions { batch, threads: None, resident: false, views: args.tta.views() };
    let evaluator = Evaluator::new(backend, &task, &model, &data.set, &data.normalize, options)?;
    saved.load_into(backend, &evaluator.step().graph)?;
    let batches = evaluator.batches();
    let (evaluation, mut tally) =
        evaluator.tally(backend, |batch| waiting.says(format!("evaluating: {batch} of {batches} batches")))?;
    drop(waiting);
    tally.set_temperature(saved.calibration().temperature);

    let (model, samples, word) =
        (&saved.info().model, evaluation.samples, if data.undivided { "" } else { data.split.word() });
    let images = format!("{word} images");
    line(&format!("{model} on {samples} {} of {}", images.trim_start(), folder.display()))?;
    line(&format!("weights: {}", saved.path.display()))?;
    if args.tta.views().count() > 1 {
        line(&format!("outputs of {} views of each image, averaged", args.tta.views().count()))?;
    }
    line(&format!("device: {name} ({why})"))?;
    line(&evaluation.scores.shown(&task.eval_measures(), ""))?;
    line(&format!("\n{}", tally.report()))?;
    if let Some(path) = &args.predictions {
        let options = ClassifierOptions { views: args.tta.views(), batch };
        let mut classifier = Classifier::with(device.share(), &saved, options)?;
        predictions::write(&mut classifier, &*task, &data.set, path)?.iter().try_for_each(|text| line(text))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The images to evaluate on. Of other data than the run's that has no validation images, those are held out that the run would
/// have, if validation images are asked for; where it may be the run's data, moved, this is told.
fn opened(
    folder: &Path,
    split: Option<Split>,
    options: &LikeOptions,
    saved: &Saved,
    own: bool,
) -> anyhow::Result<EvalData> {
    let (like, config) = (saved.info(), saved.config.as_ref().filter(|_| !own));
    let data = match EvalData::open(folder, split, options, like) {
        Err(TrainError::Data(DataError::NoSplit { .. })) if split == Some(Split::Val) && config.is_some() => {
            let holdout = config.map(|config| config.settings.holdout());
            EvalData::open(folder, split, &LikeOptions { holdout, ..options.clone() }, like)?
        }
        opened => opened?,
    };
    let may_be_moved = |info: &DataInfo| data.undivided && data.set.len() == info.train_images + info.eval_images;
    if config.is_some_and(|config| may_be_moved(&config.data)) {
        note(&format!(
            "warning: {} has as many images as the run's data, {}; if they are the same, moved, the run was trained on most of them: \
             --split val takes those that it held out",
            folder.display(),
            data.set.len()
        ));
    }
    Ok(data)
}

/// Whether two paths are of one folder.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|one| one == other)
}
