//! How images are brought to one shape, as settings say it.

use chiaro_data::{Channels, Resize};
use serde_json::Value;

use super::value::{Choice, SettingValue};

impl SettingValue for Resize {
    const KIND: &'static str = "choice";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
    }

    fn show(&self) -> String {
        self.name().to_string()
    }

    fn json(&self) -> Value {
        Value::from(self.name())
    }

    fn from_json(value: Value) -> Result<Self, String> {
        value.as_str().ok_or_else(|| format!("{value} is no word")).and_then(Self::parse)
    }

    fn choices() -> Vec<Choice> {
        Resize::ALL.iter().map(|resize| Choice { name: resize.name(), help: resize.help() }).collect()
    }
}

const CHANNELS: [Choice; 3] = [
    Choice { name: "1", help: "Grey" },
    Choice { name: "3", help: "Red, green, blue; what is transparent is shown on white" },
    Choice { name: "4", help: "Red, green, blue and alpha" },
];

impl SettingValue for Channels {
    const KIND: &'static str = "choice";

    fn parse(text: &str) -> Result<Self, String> {
        let found = text.parse().ok().and_then(Channels::of_count);
        found.ok_or_else(|| format!("{text:?} is none of {}", CHANNELS.map(|choice| choice.name).join(", ")))
    }

    fn show(&self) -> String {
        self.count().to_string()
    }

    fn json(&self) -> Value {
        Value::from(self.count())
    }

    fn from_json(value: Value) -> Result<Self, String> {
        Self::parse(&value.to_string())
    }

    fn choices() -> Vec<Choice> {
        CHANNELS.to_vec()
    }
}
