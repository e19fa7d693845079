//! `args.toml` as text: the settings, one a line, and in the table `[run]` what was found out about data and device. A file that
//! somebody wrote by hand may have some of the settings alone.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::settings::{GivenSetting, SETTINGS, TrainConfig, setting};

const HEAD: &str = "\
# The settings of a run. `chiaro train --settings FILE` starts another with them, `chiaro settings` tells what each of them means;
# those that are not here are unset.
";
const FACTS: &str = "\n# What the run was made of, and on: it is found out anew whenever a run starts.\n";
/// The table of what is no setting.
const RUN: &str = "run";

/// The file's text, of settings and facts.
pub(crate) fn write(settings: &TrainConfig, facts: &impl Serialize) -> Result<String, String> {
    #[derive(Serialize)]
    struct Run<'a, T> {
        run: &'a T,
    }
    let mut text = HEAD.to_string();
    for setting in SETTINGS {
        if let Some(value) = to_toml(&setting.value_in(settings)) {
            text += &format!("{} = {value}\n", setting.name);
        }
    }
    Ok(text + FACTS + &toml::to_string(&Run { run: facts }).map_err(|cause| cause.to_string())?)
}

/// The settings of a text by name, and its table of facts where it has one.
///
/// # Errors
/// What is wrong with it, with the line.
pub(crate) fn read(text: &str) -> Result<(Map<String, Value>, Option<Value>), String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1);
        let place = line.map_or(String::new(), |line| format!("line {line}: "));
        format!("{place}{}", error.message().replace('\n', " "))
    })?;
    let Value::Object(mut all) = to_json(toml::Value::Table(table))? else { return Ok((Map::new(), None)) };
    let facts = all.remove(RUN);
    Ok((all, facts))
}

/// The settings of a text as somebody gives them by options.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn given(settings: Map<String, Value>) -> Result<Vec<GivenSetting>, String> {
    let one = |(name, value): (String, Value)| {
        let known = setting(&name).ok_or_else(|| format!("there is no setting {name:?}"))?;
        let mut config = TrainConfig::default();
        known.take(&mut config, value.clone()).map_err(|cause| format!("the setting {name}: {cause}"))?;
        let text = if known.switch { value.to_string() } else { known.shown_in(&config) };
        Ok((known, text))
    };
    settings.into_iter().map(one).collect()
}

/// `None` of what is unset, for which TOML has no word.
fn to_toml(value: &Value) -> Option<toml::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => toml::Value::Boolean(*flag),
        Value::String(text) => toml::Value::String(text.clone()),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), _, _) => toml::Value::Integer(whole),
            // Beyond the integers that TOML has.
            (None, Some(whole), _) => toml::Value::String(whole.to_string()),
            (None, None, real) => toml::Value::Float(real?),
        },
        Value::Array(items) => toml::Value::Array(items.iter().filter_map(to_toml).collect()),
        Value::Object(map) => {
            toml::Value::Table(map.iter().filter_map(|(name, value)| Some((name.clone(), to_toml(value)?))).collect())
        }
    })
}

fn to_json(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(whole) => whole.into(),
        toml::Value::Float(real) if real.is_finite() => real.into(),
        toml::Value::Float(real) => return Err(format!("{real} is no value of a setting")),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(to_json).collect::<Result<Vec<_>, _>>()?.into(),
        toml::Value::Table(table) => {
            let pairs = table.into_iter().map(|(name, value)| Ok((name, to_json(value)?)));
            Value::Object(pairs.collect::<Result<_, String>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Augmentation, ScheduleName, SettingValue as _};

    #[derive(Serialize)]
    struct Facts {
        mean: Vec<f32>,
        classes: Vec<String>,
    }

    #[test]
    fn settings_come_back_with_all_their_digits_and_what_is_unset_stays_unset() {
        let settings = TrainConfig {
            data: "photos/of \"birds\"".into(),
            size: Some([48, 64]),
            lr: 0.1 + 0.2,
            weight_decay: 1e-300,
            momentum: 0.0,
            seed: u64::MAX,
            strict: true,
            schedule: ScheduleName::OneCycle,
            augment: Augmentation::parse("medium,mixup=0.3").expect("a list"),
            ..TrainConfig::default()
        };
        let facts = Facts { mean: vec![0.1], classes: vec!["a\nb".into()] };
        let text = write(&settings, &facts).expect("written");
        let (map, facts) = read(&text).expect("read");
        let back: TrainConfig = serde_json::from_value(Value::Object(map)).expect("settings");
        assert_eq!(back, settings, "{text}");
        let facts = facts.expect("there");
        assert_eq!((facts["mean"][0].as_f64().map(|m| m as f32), &facts["classes"][0]), (Some(0.1), &"a\nb".into()));
        assert!(!text.contains("val_share") && text.contains("\nseed = \"18446744073709551615\"\n"), "{text}");
        // Some of them, as somebody gives them by options.
        let (some, facts) = read("batch = 5\nstrict = true\nsize = [48, 64]\nlr = 0.25\n").expect("read");
        let mut by_hand = TrainConfig::default();
        by_hand.give(&given(some).expect("given")).expect("fit");
        assert_eq!((facts, by_hand.batch_size, by_hand.strict, by_hand.size), (None, 5, true, Some([48, 64])));
        assert_eq!(by_hand.lr, 0.25);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_or_name() {
        assert!(read("lr = 0.1\nlr = 0.2\n").expect_err("twice").starts_with("line 2: "), "{:?}", read("lr=1\nlr=2"));
        assert!(read("a = nan").expect_err("no number").contains("no value"));
        let of = |text: &str| read(text).and_then(|(map, _)| given(map).map(|_| ())).expect_err("refused");
        assert_eq!(of("learning = 1"), "there is no setting \"learning\"");
        assert!(of("lr = \"fast\"").starts_with("the setting lr: "), "{}", of("lr = \"fast\""));
    }
}
