//! What `chiaro train` says before and after a run.

use std::path::Path;

use chiaro::nn::Summary;
use chiaro::train::settings::{SettingValue, TaskName};
use chiaro::train::{
    Best, Data, DataPlace, Ending, Freeze, Measure, NormsName, PrecisionName, RunFolder, TrainConfig, TrainError,
    Trainer, short,
};
use chiaro::{Device, data::Split};

use crate::live::view::View;
use crate::notes;
use crate::output::{bytes, line};

/// Everything about a run that begins.
pub fn before(
    trainer: &Trainer,
    layers: &Summary,
    data: &Data,
    device: &Device,
    folder: &RunFolder,
) -> anyhow::Result<()> {
    let config = trainer.config();
    line(layers.to_string().trim_end())?;
    let (train, eval, word) = (data.train.len(), data.eval.len(), data.split.word());
    let held_out = if data.held_out { format!(", held out: {}", config.holdout()) } else { String::new() };
    line(&format!("data: {}, {train} training and {eval} {word} images{held_out}", config.data.display()))?;
    if config.task.as_str() != TaskName::default().as_str() {
        line(&format!("task: {}", config.task.as_str()))?;
    }
    line(&notes::classes(&**trainer.task(), &*data.train))?;
    line(&steps_line(trainer))?;
    line(&format!(
        "recipe: {} epochs, {} at a rate of up to {}, schedule {}; random changes of images: {}",
        config.epochs,
        config.optimizer.show(),
        short(config.lr),
        config.schedule.show(),
        config.augment.show()
    ))?;
    if let Some(text) = fine_tuning(config) {
        line(&text)?;
    }
    line(&format!("device: {} ({})", device.name(), device.why()))?;
    if config.precision == PrecisionName::F16 {
        line("precision: f16, weights and sums in f32")?;
    }
    let memory = bytes(trainer.device_bytes() as f64);
    let idle = config.recompute && !trainer.present_step().graph.recomputes();
    let idle = if idle { "; --recompute would save nothing in this model, and does nothing" } else { "" };
    line(&format!("memory: {memory} on the device for batches of {}{idle}", config.batch_size))?;
    line(&place_line(trainer.data_place()))?;
    line(&format!("run folder: {}", folder.path().display()))
}

/// How a run goes on from weights that were trained before, where it does not train all of them alike.
fn fine_tuning(config: &TrainConfig) -> Option<String> {
    let frozen = config.freeze.as_ref().map(|freeze| {
        let parts = match freeze {
            Freeze::First(count) => format!("the first {count} parts"),
            Freeze::Named(names) => names.join(", "),
        };
        let thaw = config.thaw.map_or("to the end".to_string(), |epochs| format!("for {} epochs", short(epochs)));
        format!("frozen {thaw}: {parts}")
    });
    let rates = (config.layer_decay != 1.0)
        .then(|| format!("each part's rate is {} of that of the part behind it", short(config.layer_decay)));
    let head = (config.head_lr != 1.0).then(|| format!("the head's rate {} times as high", short(config.head_lr)));
    let norms = (config.norms == NormsName::Still).then(|| "norms keep their running statistics".to_string());
    let all: Vec<String> = frozen.into_iter().chain(head).chain(rates).chain(norms).collect();
    (!all.is_empty()).then(|| format!("fine-tuning: {}", all.join("; ")))
}

/// What a live view of the run begins with: the epochs that are done, where it goes on.
pub fn view(trainer: &Trainer, device: &str) -> View {
    let measure = trainer.task().eval_measures().first().copied().unwrap_or(Measure::LOSS);
    let best = |best: Best| format!("best {}, epoch {}", measure.shown(best.score), best.epoch);
    let mut view = View {
        device: device.to_string(),
        epoch: trainer.epochs_done() + 1,
        epochs: trainer.config().epochs,
        steps: trainer.steps_per_epoch(),
        device_bytes: Some(trainer.device_bytes()),
        best: trainer.best().map_or(String::new(), best),
        ..View::default()
    };
    trainer.records().iter().for_each(|record| view.epoch(record, measure));
    view
}

/// Why a run ends before its last epoch, and how it goes on.
pub fn early(ending: Ending, trainer: &Trainer) -> String {
    let done = trainer.epochs_done();
    let swa = match trainer.config().swa {
        Some(last) if done + last <= trainer.config().epochs => "; no weights were averaged yet (--swa)",
        Some(_) | None => "",
    };
    match ending {
        Ending::NoBetter => {
            let patience = trainer.config().patience.unwrap_or(0);
            format!("ended after epoch {done}: {patience} epochs were no better (--patience){swa}")
        }
        Ending::OutOfTime => {
            format!("ended after epoch {done}: another would go beyond the time limit (--time-limit){swa}")
        }
        Ending::Finished | Ending::Interrupted => format!("ended after epoch {done}"),
    }
}

/// What came out, and what to do with it.
pub fn after(trainer: &Trainer, split: Split, folder: &RunFolder) -> anyhow::Result<()> {
    let path = folder.path();
    if let Some(best) = trainer.best() {
        let measure = trainer.task().eval_measures().first().copied().unwrap_or(Measure::LOSS).shown(best.score);
        line(&format!("best {split} {measure} in epoch {}; saved in {}", best.epoch, path.display()))?;
    }
    let report = path.join("report.html");
    if report.is_file() {
        line(&format!("curves, mistakes and measures of each class: {}", report.display()))?;
    }
    line(&format!("evaluate it with: chiaro eval {}", shell(path)))?;
    line(&format!("classify images with: chiaro predict {} FILES", shell(path)))?;
    line(&format!("use it elsewhere with: chiaro export {}", shell(path)))
}

/// A loss that is not finite with the command that follows the advice.
pub fn with_remedy(error: TrainError, folder: &Path) -> anyhow::Error {
    let TrainError::NonFinite { try_lr, .. } = &error else { return error.into() };
    anyhow::anyhow!("{error}: chiaro train --resume {} --lr {}", shell(folder), short(*try_lr))
}

/// A path as a shell takes it.
pub fn shell(path: &Path) -> String {
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
