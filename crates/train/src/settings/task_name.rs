//! What is learnt, by its name: one of those that settings can name, or one of a program's own.

use serde_json::Value;

use super::value::{Choice, SettingValue};
use crate::task;

/// A task by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskName(String);

impl TaskName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for TaskName {
    fn from(name: &str) -> TaskName {
        TaskName(name.to_string())
    }
}

/// The first that settings can name.
impl Default for TaskName {
    fn default() -> TaskName {
        task::named().first().map_or("", |usual| usual.name).into()
    }
}

impl SettingValue for TaskName {
    const KIND: &'static str = "name";

    fn parse(text: &str) -> Result<Self, String> {
        let known: Vec<&str> = task::named().iter().map(|task| task.name).collect();
        if known.contains(&text) { Ok(text.into()) } else { Err(format!("{text:?} is none of {}", known.join(", "))) }
    }

    fn show(&self) -> String {
        self.0.clone()
    }

    fn json(&self) -> Value {
        Value::from(self.0.as_str())
    }

    /// Of a file any name: it may be of a run with a task of one's own.
    fn from_json(value: Value) -> Result<Self, String> {
        value.as_str().map(TaskName::from).ok_or_else(|| format!("{value} is no word"))
    }

    fn choices() -> Vec<Choice> {
        task::named().iter().map(|task| Choice { name: task.name, help: task.help }).collect()
    }
}
