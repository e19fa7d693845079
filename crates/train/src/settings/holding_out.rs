//! Which training images are held out to validate by, as settings say it.

use chiaro_data::{Fold, GroupBy, Holdout};
use serde_json::Value;

use super::TrainConfig;
use super::value::SettingValue;

/// The part of a file name by which images belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupName(pub GroupBy);

impl SettingValue for GroupName {
    const KIND: &'static str = "part of a name";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map(GroupName)
    }

    fn show(&self) -> String {
        self.0.to_string()
    }

    fn json(&self) -> Value {
        Value::String(self.show())
    }

    fn from_json(value: Value) -> Result<Self, String> {
        value.as_str().ok_or_else(|| format!("{value} is no text")).and_then(Self::parse)
    }
}

impl TrainConfig {
    /// Which training images are held out where there are no validation images, or where that was asked for.
    pub fn holdout(&self) -> Holdout {
        Holdout {
            share: self.val_share,
            fold: self.folds.map(|of| Fold { number: self.fold, of }),
            seed: self.seed,
            group_by: self.group_by.as_ref().map(|name| name.0.clone()),
        }
    }
}
