//! Which optimizer updates the parameters, by its name: one of those that `chiaro_nn` knows. Of a file it may be one of another
//! program's own: only training asks for more than the name.

use std::fmt;
use std::str::FromStr;

use chiaro_nn::{NamedOptimizer, named_optimizer, optimizer_names};
use serde_json::Value;

use super::value::{Choice, SettingValue};
use crate::error::Result;

/// What settings begin with.
const DEFAULT: &str = "adamw";

/// An optimizer by its name: `"adamw".parse()`.
#[derive(Clone, PartialEq, Eq)]
pub struct OptimizerName(String);

impl OptimizerName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is known of it.
    ///
    /// # Errors
    /// If this program has no optimizer of this name; the error lists those that exist.
    pub fn known(&self) -> Result<NamedOptimizer> {
        Ok(named_optimizer(&self.0)?)
    }

    /// What is known of the default.
    pub(crate) fn usual() -> NamedOptimizer {
        match named_optimizer(DEFAULT) {
            Ok(known) => known,
            // A test finds it.
            Err(error) => unreachable!("{error}"),
        }
    }
}

impl FromStr for OptimizerName {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        named_optimizer(name).map(|known| OptimizerName(known.name.to_string())).map_err(|error| error.to_string())
    }
}

/// AdamW: it needs the least care.
impl Default for OptimizerName {
    fn default() -> Self {
        OptimizerName(DEFAULT.to_string())
    }
}

impl fmt::Debug for OptimizerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SettingValue for OptimizerName {
    const KIND: &'static str = "name";

    fn parse(text: &str) -> std::result::Result<Self, String> {
        text.parse()
    }

    fn show(&self) -> String {
        self.0.clone()
    }

    fn json(&self) -> Value {
        Value::from(self.as_str())
    }

    /// Of a file any name: it may be of a run with an optimizer of one's own, which can be evaluated without it.
    fn from_json(value: Value) -> std::result::Result<Self, String> {
        value.as_str().map(|name| OptimizerName(name.to_string())).ok_or_else(|| format!("{value} is no word"))
    }

    fn choices() -> Vec<Choice> {
        optimizer_names().into_iter().map(|name| Choice { name, help: "" }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::TrainConfig;

    #[test]
    fn the_default_is_there_and_other_names_are_refused_with_those_that_are() {
        assert_eq!(OptimizerName::usual().name, OptimizerName::default().as_str());
        assert!("adamwww".parse::<OptimizerName>().is_err_and(|error| error.contains("sgd, nesterov")));
    }

    #[test]
    fn an_optimizer_that_is_not_known_is_read_from_a_file_but_does_not_train() {
        let text = "{\"optimizer\": \"signum-of-another-program\"}";
        let config: TrainConfig = serde_json::from_str(text).expect("the settings are read");
        assert_eq!(config.optimizer.as_str(), "signum-of-another-program");
        let error = config.check().expect_err("not trained with").to_string();
        assert!(error.contains("\"signum-of-another-program\"; known are sgd, nesterov"), "{error}");
    }
}
