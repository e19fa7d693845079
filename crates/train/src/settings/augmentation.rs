//! Random changes of training images.

use chiaro_data::Layout;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::value::{Choice, SettingValue};

/// Random changes of training images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Shift by up to an eighth of the longer side, as padding and cropping at random do.
    pub crop: bool,
    /// Mirror every second image, left to right.
    pub flip: bool,
}

impl Augmentation {
    /// What suits a data set: crops and mirror images for CIFAR's own files, whose usual recipe has them; nothing for
    /// others, since who knows whether a mirrored image is still of its class.
    pub fn usual(layout: Option<Layout>) -> Augmentation {
        let both = layout.is_some_and(Layout::crops_and_mirrors);
        Augmentation { crop: both, flip: both }
    }
}

const CROP: Choice = Choice { name: "crop", help: "Shift by up to an eighth of the side" };
const FLIP: Choice = Choice { name: "flip", help: "Mirror every second image, left to right" };
const NONE: Choice = Choice { name: "none", help: "Leave the images as they are" };

impl SettingValue for Augmentation {
    const KIND: &'static str = "list";

    fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        let known = [CROP.name, FLIP.name, NONE.name];
        if let Some(word) = words.iter().find(|word| !known.contains(word)) {
            return Err(format!("{word:?} is none of {}", known.join(", ")));
        }
        let has = |choice: Choice| words.contains(&choice.name);
        if has(NONE) && words.iter().any(|word| *word != NONE.name) {
            return Err("none goes with nothing else".to_string());
        }
        Ok(Augmentation { crop: has(CROP), flip: has(FLIP) })
    }

    fn show(&self) -> String {
        let words = [(self.crop, CROP), (self.flip, FLIP), (*self == Augmentation::default(), NONE)];
        words.into_iter().filter(|(there, _)| *there).map(|(_, choice)| choice.name).collect::<Vec<_>>().join(",")
    }

    fn json(&self) -> Value {
        serde_json::json!(self)
    }

    fn from_json(value: Value) -> Result<Self, String> {
        serde_json::from_value(value).map_err(|cause| cause.to_string())
    }

    fn choices() -> Vec<Choice> {
        vec![CROP, FLIP, NONE]
    }
}
