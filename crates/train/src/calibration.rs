//! How a trained model's outputs are read as probabilities, as its weights' file tells.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Result, TrainError};
use crate::task::Calibration;

/// What weights tell about themselves: what outputs are divided by.
const TEMPERATURE: &str = "temperature";
/// And below which probability an image is rather of no class.
const UNKNOWN_BELOW: &str = "unknown_below";

/// What of this stands among entries that tell of weights, or of a file of theirs.
pub(crate) const KEYS: [&str; 2] = [TEMPERATURE, UNKNOWN_BELOW];

/// Puts what was found in the place of what the file told.
pub(crate) fn tell(found: Option<Calibration>, extra: &mut BTreeMap<String, String>) {
    extra.retain(|key, _| key != TEMPERATURE && key != UNKNOWN_BELOW);
    let Some(Calibration { temperature, unknown_below }) = found else { return };
    extra.insert(TEMPERATURE.to_string(), temperature.to_string());
    extra.extend(unknown_below.map(|below| (UNKNOWN_BELOW.to_string(), below.to_string())));
}

/// What a file tells; temperature 1 where it tells nothing.
pub(crate) fn told(path: &Path, extra: &BTreeMap<String, String>) -> Result<Calibration> {
    let number = |key: &str| {
        let Some(text) = extra.get(key) else { return Ok(None) };
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
        let wrong = || TrainError::corrupt(path, format!("its {key} is {text:?}, no number above 0"));
        number.map(Some).ok_or_else(wrong)
    };
    Ok(Calibration { temperature: number(TEMPERATURE)?.unwrap_or(1.0), unknown_below: number(UNKNOWN_BELOW)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_is_told_it_tells_and_what_is_no_number_is_refused() {
        let mut extra = BTreeMap::from([("epoch".to_string(), "3".to_string())]);
        let path = Path::new("best.safetensors");
        let plain = Calibration { temperature: 1.0, unknown_below: None };
        assert_eq!(told(path, &extra).expect("nothing"), plain);
        let found = Calibration { temperature: 1.0 / 3.0, unknown_below: Some(0.7) };
        tell(Some(found), &mut extra);
        assert_eq!(told(path, &extra).expect("told"), found);
        tell(None, &mut extra);
        assert_eq!((told(path, &extra).expect("nothing"), extra.len()), (plain, 1));
        for text in ["0", "-1", "NaN", "warm"] {
            extra.insert(TEMPERATURE.to_string(), text.to_string());
            let error = told(path, &extra).expect_err("refused").to_string();
            assert!(error.contains("best.safetensors") && error.contains("temperature"), "{error}");
        }
    }
}
