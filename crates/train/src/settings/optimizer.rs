//! Which optimizer updates the parameters: one of those that `chiaro_nn` names.

use std::fmt;
use std::str::FromStr;

use chiaro_nn::{NamedOptimizer, named_optimizer, optimizer_names};
use serde_json::Value;

use super::value::{Choice, SettingValue};

/// What settings begin with.
const DEFAULT: &str = "adamw";

/// An optimizer by its name: `"adamw".parse()`.
#[derive(Clone, Copy)]
pub struct OptimizerName(NamedOptimizer);

impl OptimizerName {
    /// What is known of it.
    pub fn known(&self) -> &NamedOptimizer {
        &self.0
    }
}

impl FromStr for OptimizerName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        named_optimizer(name).map(OptimizerName).map_err(|error| error.to_string())
    }
}

/// AdamW: it needs the least care.
impl Default for OptimizerName {
    fn default() -> Self {
        match DEFAULT.parse() {
            Ok(known) => known,
            // A test finds it.
            Err(error) => unreachable!("{error}"),
        }
    }
}

impl PartialEq for OptimizerName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl fmt::Debug for OptimizerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl SettingValue for OptimizerName {
    const KIND: &'static str = "name";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
    }

    fn show(&self) -> String {
        self.0.name.to_string()
    }

    fn json(&self) -> Value {
        Value::from(self.0.name)
    }

    fn from_json(value: Value) -> Result<Self, String> {
        value.as_str().ok_or_else(|| format!("{value} is no word")).and_then(str::parse)
    }

    fn choices() -> Vec<Choice> {
        optimizer_names().into_iter().map(|name| Choice { name, help: "" }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_there_and_other_names_are_refused_with_those_that_are() {
        assert_eq!(OptimizerName::default().known().name, DEFAULT);
        assert!("adamwww".parse::<OptimizerName>().is_err_and(|error| error.contains("sgd, nesterov")));
    }
}
