//! Which parts of a model are not trained.

use serde_json::Value;

use super::value::SettingValue;

/// Parts of a model (see [`chiaro_nn::part_of`]) that are not trained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Freeze {
    /// The first of them.
    First(usize),
    /// Those whose names are or begin with one of these, at a dot.
    Named(Vec<String>),
}

impl SettingValue for Freeze {
    const KIND: &'static str = "number or names";

    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(count) = text.parse() {
            return if count == 0 {
                Err("0 parts are none; leave --freeze out".into())
            } else {
                Ok(Freeze::First(count))
            };
        }
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_string()).collect();
        if names.iter().any(String::is_empty) {
            return Err(format!("{text:?} is neither a number of parts nor a list of names, as conv1,layer1"));
        }
        Ok(Freeze::Named(names))
    }

    fn show(&self) -> String {
        match self {
            Freeze::First(count) => count.to_string(),
            Freeze::Named(names) => names.join(","),
        }
    }

    fn json(&self) -> Value {
        match self {
            Freeze::First(count) => Value::from(*count),
            Freeze::Named(names) => Value::from(names.join(",")),
        }
    }

    fn from_json(value: Value) -> Result<Self, String> {
        match (value.as_str(), value.as_u64()) {
            (Some(text), _) => Freeze::parse(text),
            (None, Some(count)) => Freeze::parse(&count.to_string()),
            (None, None) => Err(format!("{value} is neither a number nor names")),
        }
    }
}

impl Freeze {
    /// Which of a model's parts these are.
    ///
    /// # Errors
    /// If a name is of no part, or nothing would be left to train.
    pub fn of(&self, parts: &[&str]) -> Result<Vec<String>, String> {
        let known = || parts.join(", ");
        let frozen: Vec<&str> = match self {
            Freeze::First(count) => parts.iter().take(*count).copied().collect(),
            Freeze::Named(names) => {
                let is = |part: &str, name: &str| {
                    part.strip_prefix(name).is_some_and(|r| r.is_empty() || r.starts_with('.'))
                };
                if let Some(idle) = names.iter().find(|name| !parts.iter().any(|part| is(part, name))) {
                    return Err(format!("--freeze {idle:?} is no part of the model; its parts are {}", known()));
                }
                parts.iter().filter(|part| names.iter().any(|name| is(part, name))).copied().collect()
            }
        };
        if frozen.len() == parts.len() {
            return Err(format!(
                "--freeze would leave nothing to train of the model's {} parts: {}",
                parts.len(),
                known()
            ));
        }
        Ok(frozen.into_iter().map(str::to_string).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_from_the_start_or_named() {
        let parts = ["conv1", "features.0", "features.1", "fc"];
        let of = |text: &str| Freeze::parse(text).and_then(|freeze| freeze.of(&parts));
        assert_eq!(of("2"), Ok(vec!["conv1".to_string(), "features.0".to_string()]));
        assert_eq!(of("features, fc"), Ok(["features.0", "features.1", "fc"].map(String::from).to_vec()));
        assert!(of("feat").is_err_and(|e| e.contains("\"feat\" is no part") && e.contains("conv1, features.0")));
        assert!(of("4").is_err_and(|e| e.contains("nothing to train")));
        assert!(Freeze::parse("0").is_err() && Freeze::parse("a,,b").is_err());
        for freeze in [Freeze::First(3), Freeze::Named(vec!["a".into(), "b".into()])] {
            assert_eq!(Freeze::from_json(freeze.json()), Ok(freeze));
        }
    }
}
