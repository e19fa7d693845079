//! Several numbers, as `30,60`.

use serde_json::Value;

use super::value::SettingValue;

/// Numbers from 0 on, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers(pub Vec<f64>);

impl SettingValue for Numbers {
    const KIND: &'static str = "numbers";

    fn parse(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.trim().parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
        let numbers: Option<Vec<f64>> = text.split(',').map(number).collect();
        numbers.map(Numbers).ok_or_else(|| format!("{text:?} is no list of numbers of at least 0, as 30,60"))
    }

    fn show(&self) -> String {
        self.0.iter().map(f64::to_string).collect::<Vec<_>>().join(",")
    }

    fn json(&self) -> Value {
        serde_json::json!(self.0)
    }

    fn from_json(value: Value) -> Result<Self, String> {
        let numbers: Vec<f64> = serde_json::from_value(value).map_err(|cause| cause.to_string())?;
        Numbers::parse(&Numbers(numbers).show())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_they_are_read() {
        let numbers = Numbers::parse("1, 2.5,0").expect("numbers");
        assert_eq!((numbers.0.clone(), numbers.show().as_str()), (vec![1.0, 2.5, 0.0], "1,2.5,0"));
        assert_eq!(Numbers::from_json(numbers.json()), Ok(numbers));
        for wrong in ["", "1,", "-1", "a", "NaN"] {
            assert!(Numbers::parse(wrong).is_err(), "{wrong}");
        }
    }
}
