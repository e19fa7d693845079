//! `args.toml`: the settings of a run with what was found out about its data, enough to evaluate and predict by.

use std::path::Path;

use chiaro_io::{ModelInfo, write_whole};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::args_file;
use crate::error::{Result, TrainError};
use crate::folder::RunFolder;
use crate::imported::known_beside;
use crate::settings::{GivenSetting, TrainConfig};

/// What a run trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataInfo {
    /// Height, width and channels of the images.
    pub image_shape: [usize; 3],
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// Mean of each channel, in units of pixel / 255.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, in units of pixel / 255.
    pub std: Vec<f32>,
    /// Number of training images.
    pub train_images: usize,
    /// Number of images that epochs are evaluated on.
    pub eval_images: usize,
    /// Which split they are: `val` or `test`.
    #[serde(default)]
    pub eval_split: String,
    /// Checksum of the training images' labels in their order, which tells a changed set from the same one.
    #[serde(default)]
    pub train_labels: String,
    /// The same of the images that epochs are evaluated on.
    #[serde(default)]
    pub eval_labels: String,
}

/// What stands beside the settings in `args.toml`.
#[derive(Serialize, Deserialize)]
struct Facts {
    chiaro: String,
    device: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    described: Option<String>,
    #[serde(flatten)]
    data: DataInfo,
}

/// Settings from a file, for a run that starts by them.
pub enum StartSettings {
    /// All of them, of a run.
    Whole(Box<TrainConfig>),
    /// Some, as somebody wrote them: the others are what suits.
    Some(Vec<GivenSetting>),
}

/// The content of `args.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// Version of Chiaro that wrote it.
    pub chiaro: String,
    /// The device that was used.
    pub device: String,
    /// The settings.
    pub settings: TrainConfig,
    /// The text that describes the model, where the settings name a file of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub described: Option<String>,
    /// The data.
    pub data: DataInfo,
}

impl RunConfig {
    /// The record of a run that starts.
    pub(crate) fn new(settings: &TrainConfig, described: Option<&str>, data: &DataInfo, device: &str) -> RunConfig {
        RunConfig {
            chiaro: env!("CARGO_PKG_VERSION").to_string(),
            device: device.to_string(),
            settings: settings.clone(),
            described: described.map(str::to_string),
            data: data.clone(),
        }
    }

    /// The record of a model that was trained elsewhere: no images are known of its data.
    pub(crate) fn imported(info: &ModelInfo) -> RunConfig {
        let mut settings = TrainConfig { model: info.model.clone(), data: "".into(), ..TrainConfig::default() };
        settings.task = info.task.as_str().into();
        settings.resize = info.resize.parse().unwrap_or_default();
        let data = DataInfo {
            image_shape: info.image,
            classes: info.classes.clone(),
            mean: info.mean.clone(),
            std: info.std.clone(),
            train_images: 0,
            eval_images: 0,
            eval_split: String::new(),
            train_labels: String::new(),
            eval_labels: String::new(),
        };
        RunConfig::new(&settings, None, &data, "")
    }

    /// Reads the file; one that ends in `.json` is of before it was TOML.
    ///
    /// # Errors
    /// If it cannot be read or is not such a record.
    pub fn read(path: &Path) -> Result<RunConfig> {
        let text = std::fs::read_to_string(path).map_err(|cause| TrainError::read(path, cause))?;
        let corrupt = |cause: &dyn ToString| TrainError::corrupt(path, cause.to_string());
        if path.extension().is_some_and(|ending| ending == "json") {
            return serde_json::from_str(&text).map_err(|cause| corrupt(&cause));
        }
        let (settings, facts) = args_file::read(&text).map_err(|cause| corrupt(&cause))?;
        let facts = facts.ok_or_else(|| corrupt(&"it has no table [run], as `chiaro train` writes it"))?;
        let settings = serde_json::from_value(Value::Object(settings)).map_err(|cause| corrupt(&cause))?;
        let Facts { chiaro, device, described, data } =
            serde_json::from_value(facts).map_err(|cause| corrupt(&format!("in the table [run]: {cause}")))?;
        Ok(RunConfig { chiaro, device, settings, described, data })
    }

    /// Reads settings to start a run by: those of a run, or some of them that were written by hand.
    ///
    /// # Errors
    /// If the file cannot be read, or something in it is no setting.
    pub fn read_settings(path: &Path) -> Result<StartSettings> {
        let text = std::fs::read_to_string(path).map_err(|cause| TrainError::read(path, cause))?;
        let (settings, facts) = args_file::read(&text).map_err(|cause| TrainError::corrupt(path, cause))?;
        if facts.is_none() {
            return args_file::given(settings)
                .map(StartSettings::Some)
                .map_err(|cause| TrainError::corrupt(path, cause));
        }
        let whole: TrainConfig =
            serde_json::from_value(Value::Object(settings)).map_err(|cause| TrainError::corrupt(path, cause))?;
        known_beside(&RunFolder::of_weights(path), &whole.model)?;
        Ok(StartSettings::Whole(Box::new(whole)))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let RunConfig { chiaro, device, settings, described, data } = self.clone();
        let text = args_file::write(&settings, &Facts { chiaro, device, described, data });
        Ok(write_whole(path, text.map_err(|cause| TrainError::corrupt(path, cause))?.as_bytes())?)
    }
}

impl RunConfig {
    /// What the run's weights tell about themselves.
    pub fn model_info(&self) -> ModelInfo {
        let data = self.data.clone();
        ModelInfo {
            model: self.settings.model.clone(),
            described: self.described.clone(),
            task: self.settings.task.as_str().to_string(),
            image: data.image_shape,
            resize: self.settings.resize.name().to_string(),
            classes: data.classes,
            mean: data.mean,
            std: data.std,
        }
    }
}
