//! Sizes of images that grow over the run, as `64:0.5,96:1`.

use serde_json::Value;

use super::value::SettingValue;

/// Sizes of images with the share of the run up to which each is used; behind the last share images are as large as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Progressive(pub Vec<([usize; 2], f64)>);

impl SettingValue for Progressive {
    const KIND: &'static str = "sizes and shares";

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text:?} is no list of sizes with the shares of the run up to which they are used, as 64:0.5,96:1")
        };
        let part = |part: &str| {
            let (size, share) = part.split_once(':')?;
            let share = share.trim().parse::<f64>().ok().filter(|share| *share > 0.0 && *share <= 1.0)?;
            Some((<[usize; 2]>::parse(size.trim()).ok()?, share))
        };
        let parts: Option<Vec<([usize; 2], f64)>> = text.split(',').map(part).collect();
        let parts = parts.filter(|parts| parts.windows(2).all(|pair| pair[0].1 < pair[1].1));
        parts.map(Progressive).ok_or_else(wrong)
    }

    fn show(&self) -> String {
        let part = |(size, share): &([usize; 2], f64)| format!("{}:{share}", size.show());
        self.0.iter().map(part).collect::<Vec<_>>().join(",")
    }

    fn json(&self) -> Value {
        Value::from(self.show())
    }

    fn from_json(value: Value) -> Result<Self, String> {
        value.as_str().ok_or_else(|| format!("{value} is no text")).and_then(Self::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_come_with_rising_shares_of_the_run() {
        let sizes = Progressive::parse("64:0.5, 48x96:1").expect("sizes");
        assert_eq!(sizes.0, [([64, 64], 0.5), ([48, 96], 1.0)]);
        assert_eq!(Progressive::from_json(sizes.json()), Ok(sizes));
        for wrong in ["", "64", "64:0", "64:1.5", "64:0.5,96:0.5", "64:0.9,96:0.1", "a:1"] {
            assert!(Progressive::parse(wrong).is_err(), "{wrong}");
        }
    }
}
