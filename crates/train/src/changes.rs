//! What differs between a run that goes on and what its checkpoint was made with: told where it may, refused where it cannot.

use serde_json::Value;

use crate::error::{Result, TrainError};
use crate::run_config::DataInfo;
use crate::settings::{OnResume, SETTINGS, TrainConfig};

/// The changed settings that are to be told; one that cannot change is refused.
pub(crate) fn settings(now: &TrainConfig, then: &TrainConfig) -> Result<Vec<String>> {
    let mut told = vec![];
    for setting in SETTINGS {
        let (name, new, old) = (setting.name, setting.value_in(now), setting.value_in(then));
        if new == old {
            continue;
        }
        let (new, old) = (shown(&new), shown(&old));
        match setting.on_resume {
            OnResume::Silent => {}
            OnResume::Told => told.push(format!("{name} is {new} from here on, {old} before")),
            OnResume::Refused => {
                return Err(TrainError::Setting(format!(
                    "the setting {name} is {new}, but the checkpoint was made with {old}; it cannot change when a run goes on: \
                     put it back in args.toml, or start a new run"
                )));
            }
        }
    }
    Ok(told)
}

fn shown(value: &Value) -> String {
    if value.is_null() { "unset".to_string() } else { value.to_string() }
}

/// What is to be told of changed data. The training images cannot change: their order, the place in the epoch and the learning
/// rates hang on their number.
pub(crate) fn data(now: &DataInfo, then: &DataInfo) -> Result<Vec<String>> {
    if now.train_images != then.train_images {
        return Err(TrainError::OtherData {
            found: format!("{} training images", now.train_images),
            expected: format!("{}; put them back as they were, or start a new run", then.train_images),
        });
    }
    if now.train_labels != then.train_labels {
        return Err(TrainError::OtherData {
            found: "training images whose labels come in another order or are others".to_string(),
            expected: "as many with other labels; put them back as they were, or start a new run".to_string(),
        });
    }
    let evaluated = |info: &DataInfo| (info.eval_images, info.eval_split.clone(), info.eval_labels.clone());
    let mut told = vec![];
    if evaluated(now) != evaluated(then) {
        let [new, old] = [now, then].map(|info| format!("{} of {}", info.eval_images, info.eval_split));
        told.push(format!(
            "the images that epochs are evaluated on have changed ({new} now, {old} before): what is measured before and after does \
             not compare"
        ));
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> TrainConfig {
        TrainConfig { data: "photos".into(), ..TrainConfig::default() }
    }

    #[test]
    fn every_setting_is_told_silent_or_refused() {
        let then = config();
        assert_eq!(settings(&then, &then).expect("the same"), Vec::<String>::new());
        let told = settings(&TrainConfig { lr: 0.0003, epochs: 9, device: "cpu".into(), ..config() }, &then);
        assert_eq!(
            told.expect("may change"),
            ["epochs is 9 from here on, 3 before", "lr is 0.0003 from here on, 0.003 before"]
        );
        for (now, name) in [
            (TrainConfig { batch_size: 7, ..config() }, "batch_size is 7, but"),
            (TrainConfig { seed: 7, ..config() }, "seed is 7, but"),
            (TrainConfig { limit: Some(7), ..config() }, "limit is 7, but"),
            (TrainConfig { model: "lenet5".into(), ..config() }, "model is \"lenet5\", but"),
        ] {
            let error = settings(&now, &then).expect_err("refused").to_string();
            assert!(error.contains(name) && error.contains("args.toml"), "{error}");
        }
    }
}
