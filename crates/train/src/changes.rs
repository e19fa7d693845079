//! What differs between a run that goes on and what its checkpoint was made with: told where it may, refused where it cannot.

use serde_json::Value;

use crate::config::TrainConfig;
use crate::error::{Result, TrainError};
use crate::run_config::DataInfo;

/// Settings that change the run from here on, and can.
const TOLD: [&str; 4] = ["data", "epochs", "lr", "clip"];
/// Settings that change how fast or where a run is trained, not what comes out.
const SILENT: [&str; 5] = ["device", "resident", "data_threads", "report_every", "strict"];

/// The changed settings that are to be told. Every setting that is not listed above is kept by the checkpoint: the arenas'
/// layout, the order of images, or the meaning of its numbers hang on it.
pub(crate) fn settings(now: &TrainConfig, then: &TrainConfig) -> Result<Vec<String>> {
    let mut told = vec![];
    for (name, new, old) in differences(now, then) {
        if TOLD.contains(&name.as_str()) {
            told.push(format!("{name} is {new} from here on, {old} before"));
        } else if !SILENT.contains(&name.as_str()) {
            let message = format!(
                "the setting {name} is {new}, but the checkpoint was made with {old}; it cannot change when a run goes on: \
                 put it back in config.json, or start a new run"
            );
            return Err(TrainError::Setting(message));
        }
    }
    Ok(told)
}

/// Names and values, new and old, of the settings that differ.
fn differences(now: &TrainConfig, then: &TrainConfig) -> Vec<(String, String, String)> {
    let [now, then] = [now, then].map(|config| serde_json::to_value(config).unwrap_or_default());
    let fields = now.as_object().into_iter().flatten();
    let changed = fields.filter(|(name, new)| **new != then[*name]);
    changed.map(|(name, new)| (name.clone(), shown(new), shown(&then[name]))).collect()
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
            "the images that epochs are evaluated on have changed ({new} now, {old} before): accuracies before and after do \
             not compare"
        ));
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chiaro_data::InMemory;

    fn config() -> TrainConfig {
        let set = InMemory::new(vec![0; 4], vec![0], [2, 2, 1], vec!["a".into()]).expect("a data set");
        TrainConfig::suited_to("photos", &set)
    }

    #[test]
    fn every_setting_is_told_silent_or_refused() {
        let then = config();
        assert_eq!(settings(&then, &then).expect("the same"), Vec::<String>::new());
        let fields = serde_json::to_value(&then).expect("JSON");
        let known: Vec<&String> = fields.as_object().expect("fields").keys().collect();
        for name in TOLD.iter().chain(&SILENT) {
            assert!(known.iter().any(|field| field == name), "{name} is no setting");
        }
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
            assert!(error.contains(name) && error.contains("config.json"), "{error}");
        }
    }
}
