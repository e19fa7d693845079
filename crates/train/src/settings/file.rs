//! The settings in files: a map from names to values, in the table's order. What is absent has its default, so that files from
//! before a setting existed can be read; what is unknown or given twice is refused.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{SETTINGS, TrainConfig, setting};

impl Serialize for TrainConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(SETTINGS.len()))?;
        for setting in SETTINGS {
            map.serialize_entry(setting.name, &(setting.json)(self))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for TrainConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TrainConfig, D::Error> {
        deserializer.deserialize_map(Settings)
    }
}

/// Takes settings pair by pair: a map would keep only the last of two.
struct Settings;

impl<'de> Visitor<'de> for Settings {
    type Value = TrainConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of settings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<TrainConfig, A::Error> {
        let mut config = TrainConfig::default();
        let mut given: Vec<(&str, String)> = vec![];
        while let Some((name, value)) = pairs.next_entry::<String, Value>()? {
            let known = setting(&name).ok_or_else(|| A::Error::custom(format!("there is no setting {name:?}")))?;
            if let Some((_, before)) = given.iter().find(|(other, _)| *other == known.name) {
                let twice = format!("the setting {} is given twice, as {before:?} and as {name:?}", known.name);
                return Err(A::Error::custom(format!("{twice}; leave one of them")));
            }
            (known.read)(&mut config, value)
                .map_err(|cause| A::Error::custom(format!("the setting {name}: {cause}")))?;
            given.push((known.name, name));
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Augmentation, GroupName, PrecisionName, ScheduleName, SettingValue};

    #[test]
    fn every_setting_comes_back_from_a_file_with_all_its_digits() {
        let config = TrainConfig {
            data: "photos/of birds".into(),
            val_share: Some(0.1),
            folds: Some(4),
            fold: 3,
            group_by: Some(GroupName("_:2".parse().expect("a part"))),
            size: Some([48, 64]),
            resize: chiaro_data::Resize::Crop,
            channels: chiaro_data::Channels::of_count(4),
            strict: true,
            limit: Some(7),
            model: "own".into(),
            epochs: 9,
            batch_size: 3,
            optimizer: "nesterov".parse().expect("known"),
            lr: 0.1 + 0.2,
            momentum: 1.0 / 3.0,
            weight_decay: 1e-300,
            schedule: ScheduleName::OneCycle,
            warmup_epochs: 0.7,
            label_smoothing: 0.1,
            clip: Some(2.5),
            precision: PrecisionName::Auto,
            seed: u64::MAX,
            augment: Augmentation::parse("medium,mixup=0.3").expect("a list"),
            device: "gpu:1".into(),
            data_cache: Some("off".into()),
            data_threads: Some(2),
            report_every: Some(5),
            ..TrainConfig::default()
        };
        let text = serde_json::to_string(&config).expect("JSON");
        assert_eq!(serde_json::from_str::<TrainConfig>(&text).expect("read"), config);
        assert!(text.starts_with("{\"data\":\"photos/of birds\",\"val_share\":0.1,\"folds\":4,\"fold\":3,\"group_by\":\"_:2\",\"size\":[48,64]"), "{text}");
    }

    #[test]
    fn what_is_absent_has_its_default_and_what_is_unknown_or_wrong_is_named() {
        let read = |text: &str| serde_json::from_str::<TrainConfig>(text);
        assert_eq!(read("{}").expect("all absent"), TrainConfig::default());
        assert_eq!(read("{\"batch\": 5}").expect("an alias").batch_size, 5);
        for (text, part) in [
            ("{\"learning\": 1}", "there is no setting \"learning\""),
            ("{\"lr\": \"fast\"}", "the setting lr: "),
            ("{\"schedule\": \"slow\"}", "the setting schedule: \"slow\" is none of constant, step"),
            ("{\"augment\": \"spin\"}", "the setting augment: \"spin\" is none of"),
        ] {
            let error = read(text).expect_err("refused").to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_setting_that_is_given_twice_is_refused_with_both_spellings() {
        for (first, second) in [("batch", "batch_size"), ("batch_size", "batch-size"), ("batch", "batch")] {
            let text = format!("{{\"{first}\": 5, \"lr\": 0.1, \"{second}\": 6}}");
            let error = serde_json::from_str::<TrainConfig>(&text).expect_err("refused").to_string();
            let wanted = format!("the setting batch_size is given twice, as \"{first}\" and as \"{second}\"");
            assert!(error.starts_with(&wanted), "{error}");
        }
    }
}
