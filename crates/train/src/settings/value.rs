//! The types of settings: how a value is read from an option and from a file, and shown.

use std::path::PathBuf;

use serde_json::Value;

/// One of the values that can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// As it is written.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
}

/// A type of settings.
pub trait SettingValue: Sized {
    /// The kind of value in words, such as `number`.
    const KIND: &'static str;
    /// Whether the option stands alone, without a value.
    const SWITCH: bool = false;

    /// The value of an option's text.
    ///
    /// # Errors
    /// What is wrong with the text.
    fn parse(text: &str) -> Result<Self, String>;

    /// The value as an option has it; empty where it is unset.
    fn show(&self) -> String;

    /// The value as a file has it.
    fn json(&self) -> Value;

    /// The value that a file has.
    ///
    /// # Errors
    /// What is wrong with it.
    fn from_json(value: Value) -> Result<Self, String>;

    /// The values there are; none where they cannot be listed.
    fn choices() -> Vec<Choice> {
        vec![]
    }

    /// The number that ranges are of, where it is one.
    fn number(&self) -> Option<f64> {
        None
    }
}

/// Types that parse, show and serialise themselves.
macro_rules! plain {
    ($($type:ty: $kind:literal, $number:expr;)+) => { $(
        impl SettingValue for $type {
            const KIND: &'static str = $kind;

            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!("{text:?} is no {}", $kind))
            }

            fn show(&self) -> String {
                self.to_string()
            }

            fn json(&self) -> Value {
                serde_json::json!(self)
            }

            fn from_json(value: Value) -> Result<Self, String> {
                match value {
                    // Also a number beyond those that TOML has.
                    Value::String(text) => Self::parse(&text),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                        serde_json::from_value(value).map_err(|cause| cause.to_string())
                    }
                }
            }

            fn number(&self) -> Option<f64> {
                let number: fn(&$type) -> Option<f64> = $number;
                number(self)
            }
        }
    )+ };
}

plain! {
    f64: "number", |n| Some(*n);
    usize: "whole number", |n| Some(*n as f64);
    // A seed, which has no range but its type's.
    u64: "whole number", |_| None;
    String: "text", |_| None;
}

impl SettingValue for bool {
    const KIND: &'static str = "switch";
    const SWITCH: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("{text:?} is neither true nor false"))
    }

    fn show(&self) -> String {
        if *self { "on" } else { "off" }.to_string()
    }

    fn json(&self) -> Value {
        Value::Bool(*self)
    }

    fn from_json(value: Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| format!("{value} is neither true nor false"))
    }
}

impl SettingValue for PathBuf {
    const KIND: &'static str = "path";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }

    fn show(&self) -> String {
        self.display().to_string()
    }

    fn json(&self) -> Value {
        // `TrainConfig::check` refuses paths that are no UTF-8.
        Value::String(self.to_string_lossy().into_owned())
    }

    fn from_json(value: Value) -> Result<Self, String> {
        serde_json::from_value(value).map_err(|cause| cause.to_string())
    }
}

/// Height and width: `64` or `48x64`.
impl SettingValue for [usize; 2] {
    const KIND: &'static str = "size";

    fn parse(text: &str) -> Result<Self, String> {
        let side = |part: &str| part.trim().parse::<usize>().ok().filter(|side| *side > 0);
        let (height, width) = text.split_once(['x', 'X']).unwrap_or((text, text));
        match (side(height), side(width)) {
            (Some(height), Some(width)) => Ok([height, width]),
            (None, Some(_)) | (Some(_), None) | (None, None) => {
                Err("a size is one number, as 64, or height and width, as 48x64".to_string())
            }
        }
    }

    fn show(&self) -> String {
        format!("{}x{}", self[0], self[1])
    }

    fn json(&self) -> Value {
        serde_json::json!(self)
    }

    fn from_json(value: Value) -> Result<Self, String> {
        match value {
            Value::Number(side) => Self::parse(&side.to_string()),
            Value::String(text) => Self::parse(&text),
            value => serde_json::from_value(value).map_err(|_| "a size is 64, \"48x64\" or [48, 64]".to_string()),
        }
    }
}

/// A setting that may be unset.
impl<T: SettingValue> SettingValue for Option<T> {
    const KIND: &'static str = T::KIND;
    const SWITCH: bool = T::SWITCH;

    fn parse(text: &str) -> Result<Self, String> {
        T::parse(text).map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map_or(String::new(), T::show)
    }

    fn json(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::json)
    }

    fn from_json(value: Value) -> Result<Self, String> {
        if value.is_null() { Ok(None) } else { T::from_json(value).map(Some) }
    }

    fn choices() -> Vec<Choice> {
        T::choices()
    }

    fn number(&self) -> Option<f64> {
        self.as_ref().and_then(T::number)
    }
}

#[cfg(test)]
mod tests {
    use super::SettingValue;
    use serde_json::json;

    #[test]
    fn sizes_are_one_side_or_two() {
        let parse = <[usize; 2]>::parse;
        assert_eq!(parse("64"), Ok([64, 64]));
        assert_eq!(parse("48x64"), Ok([48, 64]));
        for wrong in ["", "x", "0", "4x", "-1", "a", "1x2x3"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let read = <[usize; 2]>::from_json;
        for (written, size) in [(json!(32), [32, 32]), (json!("32x40"), [32, 40]), (json!([32, 40]), [32, 40])] {
            assert_eq!(read(written), Ok(size));
        }
        for wrong in [json!(-1), json!("a"), json!([1]), json!(true)] {
            assert!(read(wrong.clone()).is_err_and(|error| error.contains("a size is")), "{wrong}");
        }
    }
}
