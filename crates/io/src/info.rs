//! What a file says about its model, beside the weights.

use crate::checksum::Checksum;
use crate::error::{IoError, Result};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

/// All that is needed to use a model again: its shape, its classes, and how images are prepared for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelInfo {
    /// Name that `chiaro_nn::models::by_name` knows.
    pub model: String,
    /// The text that describes the model, where it is none that the name finds.
    pub described: Option<String>,
    /// Name of what it was trained for.
    pub task: String,
    /// Height, width and channels of an image.
    pub image: [usize; 3],
    /// How images of other shapes are brought to this one, by the name that `chiaro_data::Resize` has; empty is that of before there
    /// were several.
    pub resize: String,
    /// Names of the classes, in the order of the logits.
    pub classes: Vec<String>,
    /// Subtracted from each channel of pixels in 0..=1.
    pub mean: Vec<f32>,
    /// Then each channel is divided by this.
    pub std: Vec<f32>,
}

/// What all files are of that tell no task: they are from before there were others.
const FIRST_TASK: &str = "classification";
/// How all files resized that do not tell it.
const FIRST_RESIZE: &str = "squash";
/// Version of the metadata; a reader refuses later ones.
const VERSION: u64 = 2;
/// From this version on a file holds a checksum.
const CHECKED: u64 = 2;
/// What the keys begin with that the training loop adds.
const EXTRA: &str = "extra.";
/// Order of the axes of convolution weights.
const LAYOUT: &str = "OHWI";

impl ModelInfo {
    pub(crate) fn to_metadata(&self, extra: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let own = [
            ("chiaro", VERSION.to_string()),
            ("layout", LAYOUT.to_string()),
            ("model", self.model.clone()),
            ("task", self.task.clone()),
            ("image", json!(self.image).to_string()),
            ("resize", if self.resize.is_empty() { FIRST_RESIZE.to_string() } else { self.resize.clone() }),
            ("classes", json!(self.classes).to_string()),
            ("mean", json!(self.mean).to_string()),
            ("std", json!(self.std).to_string()),
        ];
        let described = self.described.iter().map(|text| ("described", text.clone()));
        let own = own.into_iter().chain(described).map(|(key, value)| (key.to_string(), value));
        own.chain(extra.iter().map(|(key, value)| (format!("{EXTRA}{key}"), value.clone()))).collect()
    }

    pub(crate) fn from_metadata(path: &Path, metadata: &BTreeMap<String, String>) -> Result<ModelInfo> {
        let layout = text(path, metadata, "layout")?;
        if layout != LAYOUT {
            return Err(IoError::format(path, format!("its weights are laid out as {layout}, not {LAYOUT}")));
        }
        let info = ModelInfo {
            model: text(path, metadata, "model")?.to_string(),
            described: metadata.get("described").cloned(),
            task: metadata.get("task").map_or(FIRST_TASK, String::as_str).to_string(),
            image: list(path, metadata, "image", |v| v.as_u64().map(|n| n as usize))?
                .try_into()
                .map_err(|_| IoError::format(path, "its image size has not three numbers"))?,
            resize: metadata.get("resize").map_or(FIRST_RESIZE, String::as_str).to_string(),
            classes: list(path, metadata, "classes", |v| v.as_str().map(str::to_string))?,
            mean: list(path, metadata, "mean", |v| v.as_f64().map(|n| n as f32))?,
            std: list(path, metadata, "std", |v| v.as_f64().map(|n| n as f32))?,
        };
        let channels = info.image[2];
        if info.mean.len() != channels || info.std.len() != channels || info.classes.is_empty() {
            let detail = "it has no classes, or its normalisation has not one number a channel";
            return Err(IoError::format(path, detail));
        }
        Ok(info)
    }
}

/// What the training loop added to the metadata.
pub(crate) fn extra(metadata: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    metadata.iter().filter_map(|(k, v)| Some((k.strip_prefix(EXTRA)?.to_string(), v.clone()))).collect()
}

/// Looks whether a file is as it was written, as far as it tells; whether it tells.
pub(crate) fn verify(path: &Path, metadata: &BTreeMap<String, String>, checksum: Checksum) -> Result<bool> {
    let version = number(path, metadata, "chiaro");
    match (version, checksum) {
        (Ok(version), _) if version > VERSION => {
            let detail = format!("its format is version {version}, this program knows up to {VERSION}");
            Err(IoError::format(path, detail))
        }
        (_, Checksum::Wrong) => Err(IoError::Damaged { path: path.to_path_buf() }),
        (Ok(version), Checksum::Absent) if version >= CHECKED => {
            Err(IoError::format(path, "its checksum is missing, so it was damaged or changed"))
        }
        (version, checksum) => version.map(|_| checksum == Checksum::Right),
    }
}

/// A field of the metadata.
pub(crate) fn text<'m>(path: &Path, metadata: &'m BTreeMap<String, String>, key: &str) -> Result<&'m str> {
    let missing = || IoError::format(path, format!("its metadata has no {key:?}, so Chiaro did not write it"));
    metadata.get(key).map(String::as_str).ok_or_else(missing)
}

/// A whole number of the metadata.
pub(crate) fn number(path: &Path, metadata: &BTreeMap<String, String>, key: &str) -> Result<u64> {
    let value = text(path, metadata, key)?;
    value.parse().map_err(|_| IoError::format(path, format!("its {key:?} is {value:?}, not a number")))
}

fn list<T>(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    key: &str,
    item: impl Fn(&serde_json::Value) -> Option<T>,
) -> Result<Vec<T>> {
    let value = text(path, metadata, key)?;
    let parsed: Option<Vec<serde_json::Value>> = serde_json::from_str(value).ok();
    let items = parsed.and_then(|items| items.iter().map(item).collect());
    items.ok_or_else(|| IoError::format(path, format!("its {key:?} is {value:?}, not a list of the right kind")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_tell_no_task_are_of_classification_and_squashed_their_images() {
        let info =
            ModelInfo { task: "own".into(), image: [4, 4, 1], classes: vec!["a".into()], ..ModelInfo::default() };
        let info = ModelInfo { model: "m".into(), resize: "crop".into(), mean: vec![0.5], std: vec![0.25], ..info };
        let described = ModelInfo { described: Some("[[layers]]".into()), ..info.clone() };
        let mut metadata = info.to_metadata(&BTreeMap::new());
        let read =
            |metadata: &BTreeMap<String, String>| ModelInfo::from_metadata(Path::new("file"), metadata).expect("whole");
        assert_eq!(read(&metadata), info);
        assert_eq!(read(&described.to_metadata(&BTreeMap::new())), described);
        metadata.remove("task");
        metadata.remove("resize");
        assert_eq!(read(&metadata), ModelInfo { task: "classification".into(), resize: "squash".into(), ..info });
    }
}
