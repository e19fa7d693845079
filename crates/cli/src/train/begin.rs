//! Settings and data of a run: of a new one what suits the data and was given, of one that goes on what its folder tells.

use std::path::{Path, PathBuf};

use chiaro::data::{Normalize, OpenOptions};
use chiaro::graph::Backend;
use chiaro::nn::Model;
use chiaro::nn::models::NamedModel;
use chiaro::train::{
    self, Data, ImportOptions, LikeOptions, RunConfig, RunFolder, Saved, StartSettings, TrainConfig, TrainError,
};
use chiaro::{Device, DeviceKind};

use super::pretrained;
use crate::find_data;
use crate::output::{bytes, line, note};
use crate::overrides::Overrides;
use crate::waiting::Waiting;

/// What the memory is taken for where the system does not tell.
const UNKNOWN_MEMORY: u64 = 4 << 30;

/// Settings and data of a run, new or to go on with.
pub struct Run {
    pub config: TrainConfig,
    pub data: Data,
    pub model: NamedModel,
    pub resumed: Option<RunFolder>,
    /// The weights that it begins with, where they are loaded already.
    pub begins_with: Option<Saved>,
}

/// A new run, by the settings of a file where there is one. `pretrained` is what was given with `--pretrained`.
pub fn new(given: &Overrides, settings: Option<&Path>, pretrained: Option<&str>, offline: bool) -> anyhow::Result<Run> {
    let (whole, given) = match settings.map(RunConfig::read_settings).transpose()? {
        None => (None, given.clone()),
        Some(StartSettings::Whole(settings)) => (Some(*settings), given.clone()),
        Some(StartSettings::Some(settings)) => (None, given.over(settings)),
    };
    let given = &given;
    // What was given, so that the data can be opened as it says; what suits the data comes after.
    let mut asked = whole.clone().unwrap_or_default();
    given.apply(&mut asked)?;
    let from_elsewhere = match pretrained {
        Some(what) => Some(pretrained::find(what, given, &mut asked, offline)?),
        None => elsewhere(&mut asked)?,
    };
    if let Some(info) = from_elsewhere.as_ref().map(Saved::info) {
        asked.size = asked.size.or(Some([info.image[0], info.image[1]]));
        if !given.is_given("resize") {
            asked.resize = info.resize.parse().unwrap_or_default();
        }
    }
    if given.is_given("model") {
        // Before minutes are spent on opening data.
        train::named_model(&asked.model, None)?;
    }
    let options = OpenOptions {
        size: asked.size,
        channels: asked.channels,
        resize: asked.resize,
        strict: asked.strict,
        limit: asked.limit,
        pack_dir: find_data::packs(asked.data_cache.as_deref()),
        holdout: Some(asked.holdout()),
        ..OpenOptions::default()
    };
    let named = given.is_given("data") || whole.is_some();
    let folder = if named { find_data::named_or_folder(&asked.data, offline)? } else { find_data::mnist()? };
    let opening = Waiting::opening(&folder);
    let progress = Some(opening.progress());
    let mut data = Data::open(&folder, &OpenOptions { progress, ..options })?;
    drop(opening);
    if let Some(info) = from_elsewhere.as_ref().map(Saved::info)
        && info.mean.len() == data.train.image_shape()[2]
    {
        data.normalize = Normalize::new(info.mean.clone(), info.std.clone())?;
    }
    if let Some(saved) = from_elsewhere.as_ref().filter(|saved| saved.is_guessed()) {
        let mut cpu = Device::by_name("cpu", &chiaro::DeviceOptions::default())?;
        match train::fitting_normalisation(&saved.path, &*data.train, cpu.backend())? {
            Some((normalize, words)) => {
                let (mean, std) = (normalize.mean(), normalize.std());
                note(&format!(
                    "note: {} tells no mean and deviation: taken as {mean:?} and {std:?} ({words}), by which the images have the \
                     statistics that its first norm expects",
                    saved.path.display()
                ));
                data.normalize = normalize;
            }
            None => saved.notes().iter().for_each(|text| note(&format!("note: {text}"))),
        }
    }
    let is_whole = whole.is_some();
    let mut config = whole.unwrap_or_else(|| TrainConfig::suited_to("", &data));
    let begins_with = match (&from_elsewhere, &asked.init) {
        (Some(saved), _) => Some(saved.clone()),
        (None, Some(init)) if given.is_given("model") => {
            let options = ImportOptions { open_size: asked.size, ..ImportOptions::default() };
            Some(Saved::for_model(&options, init, &asked.model)?.0)
        }
        (None, _) => None,
    };
    // A whole record of settings has what suited its weights.
    if let Some(saved) = begins_with.as_ref().filter(|_| !is_whole) {
        config.new_head = asked.new_head;
        let own = from_elsewhere.is_some() || !given.is_given("model");
        config.suit_weights(if own { &saved.info().model } else { &asked.model }, saved, &data)?;
    }
    given.apply(&mut config)?;
    if from_elsewhere.is_some() {
        (config.size, config.resize) = (asked.size, asked.resize);
        (config.model, config.init) = (asked.model, asked.init);
    }
    config.data = absolute(folder);
    (config.teacher, config.init) = (config.teacher.map(absolute), config.init.map(absolute));
    config.check()?;
    let model = train::named_model(&config.model, None)?;
    Ok(Run { config, data, model, resumed: None, begins_with })
}

/// Where the batch size was left to the memory, sets that for which the device has enough, as if it had been given, and tells it.
pub fn fit_batch(
    given: &Overrides,
    device: &Device,
    model: &Model,
    data: &Data,
    config: &mut TrainConfig,
) -> anyhow::Result<()> {
    if !given.auto_batch() {
        return check_memory(device, model, data, config);
    }
    let backend = device.share();
    let memory = match device.kind() {
        DeviceKind::Gpu => backend.room(),
        DeviceKind::Cpu | DeviceKind::Reference => chiaro::gpu::available_memory().unwrap_or(UNKNOWN_MEMORY),
    };
    let found = train::fitting_batch(&backend, memory, model, data, config)?;
    let (step, all) = (bytes(found.bytes as f64), bytes(memory as f64));
    line(&format!("batch size: {}, whose step takes {step} of {all} (--batch-size auto)", found.images))?;
    let (folder, teacher) = (config.data.clone(), config.teacher.clone());
    given.with("batch_size", Some(&found.images.to_string())).apply(config)?;
    (config.data, config.teacher) = (folder, teacher);
    Ok(())
}

/// Refuses a step that the memory of this machine has no room for: what is asked for beyond it would end the program, or others.
fn check_memory(device: &Device, model: &Model, data: &Data, config: &TrainConfig) -> anyhow::Result<()> {
    let free = match device.kind() {
        DeviceKind::Cpu | DeviceKind::Reference => chiaro::gpu::available_memory(),
        DeviceKind::Gpu => None,
    };
    let Some(free) = free else { return Ok(()) };
    let needed = train::step_bytes(&device.share(), model, data, config)?;
    if needed <= free {
        return Ok(());
    }
    let (needed, free, images) = (bytes(needed as f64), bytes(free as f64), config.batch_size);
    Err(TrainError::Setting(format!(
        "a training step of {images} images takes {needed}, and {free} are free here: take --batch-size auto, a smaller --size or a smaller model"
    ))
    .into())
}

/// A model that is a file or a folder: its name here is put in its place, and the run begins with its weights.
pub(super) fn elsewhere(config: &mut TrainConfig) -> anyhow::Result<Option<Saved>> {
    let path = PathBuf::from(&config.model);
    if !path.exists() || train::named_model(&config.model, None).is_ok() || config.model.ends_with(".toml") {
        return Ok(None);
    }
    let options = ImportOptions { open_size: config.size, ..ImportOptions::default() };
    let saved = Saved::load_with(&options, &path)?;
    saved.check_trainable()?;
    if saved.info().described.is_some() {
        anyhow::bail!(
            "{} is a run of a model from a TOML file: name that file with --model, and the run with --init",
            path.display()
        );
    }
    config.model = saved.info().model.clone();
    config.init.get_or_insert(path);
    Ok(Some(saved))
}

/// A run that goes on.
pub fn resumed(given: &Overrides, path: &Path) -> anyhow::Result<Run> {
    // Before anything of the run is looked at.
    given.apply_on_resume(&mut TrainConfig::default())?;
    let folder = RunFolder::open(path)?;
    folder.claim()?.iter().for_each(|text| note(&format!("note: {text}")));
    let recorded = folder.config()?;
    let model = train::named_model(&recorded.settings.model, recorded.described.as_deref())?;
    let (info, mut config) = (recorded.model_info(), recorded.settings);
    given.apply_on_resume(&mut config)?;
    config.data = absolute(config.data);
    config.check()?;
    let opening = Waiting::opening(&config.data);
    let progress = Some(opening.progress());
    let holdout = Some(config.holdout());
    let pack_dir = find_data::packs(config.data_cache.as_deref());
    let options = LikeOptions { strict: config.strict, limit: config.limit, holdout, pack_dir, progress };
    let data = Data::open_like(&config.data, &options, &info)?;
    drop(opening);
    Ok(Run { config, data, model, resumed: Some(folder), begins_with: None })
}

/// Whoever goes on with the run may be in another folder.
fn absolute(folder: PathBuf) -> PathBuf {
    folder.canonicalize().unwrap_or(folder)
}
