//! Settings that were given by name, such as those of the command line: they replace what suits the data.

use super::{OnResume, SETTINGS, Setting, TrainConfig, relations};
use crate::error::{Result, TrainError};

/// A setting with the text that was given for it.
pub type GivenSetting = (&'static Setting, String);

impl TrainConfig {
    /// Sets what was given for a new run. What suits a given setting changes with it, unless it is given itself.
    ///
    /// # Errors
    /// [`TrainError::Setting`] for a text that is no value of its setting, or settings that would mean nothing beside each other.
    pub fn give(&mut self, given: &[GivenSetting]) -> Result<()> {
        for setting in SETTINGS {
            if self.set(setting, given)? {
                (setting.suits)(self);
            }
        }
        relations::check_given(self, given)
    }

    /// Sets what was given for a run that goes on, and nothing else.
    ///
    /// # Errors
    /// [`TrainError::Setting`] for a setting that cannot change then, or a text that is no value of its setting.
    pub fn give_on_resume(&mut self, given: &[GivenSetting]) -> Result<()> {
        if let Some((setting, _)) = given.iter().find(|(setting, _)| setting.on_resume == OnResume::Refused) {
            let others = SETTINGS.iter().filter(|other| other.on_resume != OnResume::Refused);
            let others: Vec<String> = others.map(|other| format!("--{}", other.flag)).collect();
            return Err(TrainError::Setting(format!(
                "--{} cannot be changed when a run goes on ({} can)",
                setting.flag,
                others.join(", ")
            )));
        }
        SETTINGS.iter().try_for_each(|setting| self.set(setting, given).map(|_| ()))
    }

    /// What was given but is otherwise here, as it is here; neither the place of the data nor what changes no result is looked at.
    ///
    /// # Errors
    /// [`TrainError::Setting`] for a text that is no value of its setting.
    pub fn differing(&self, given: &[GivenSetting]) -> Result<Option<(&'static Setting, String)>> {
        for (setting, _) in given.iter().filter(|(s, _)| s.name != "data" && s.on_resume != OnResume::Silent) {
            let mut as_given = self.clone();
            as_given.set(setting, given)?;
            if setting.shown_in(&as_given) != setting.shown_in(self) {
                return Ok(Some((setting, setting.shown_in(self))));
            }
        }
        Ok(None)
    }

    /// Whether the setting was given.
    fn set(&mut self, setting: &Setting, given: &[GivenSetting]) -> Result<bool> {
        let Some((_, text)) = given.iter().find(|(other, _)| other.name == setting.name) else { return Ok(false) };
        let wrong = |cause| TrainError::Setting(format!("--{}: {cause}", setting.flag));
        (setting.parse)(self, text).map_err(wrong)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::setting;

    fn given(list: &[(&str, &str)]) -> Vec<GivenSetting> {
        list.iter().map(|(name, text)| (setting(name).expect("known"), text.to_string())).collect()
    }

    fn new(list: &[(&str, &str)]) -> Result<TrainConfig> {
        let mut config = TrainConfig::default();
        config.give(&given(list)).map(|()| config)
    }

    #[test]
    fn what_suits_a_given_setting_changes_with_it_unless_it_is_given() {
        let sgd = new(&[("opt", "sgd")]).expect("given");
        assert_eq!((sgd.lr, sgd.weight_decay, sgd.momentum), (0.05, 5e-4, 0.9));
        let own = new(&[("lr", "0.5"), ("optimizer", "sgd")]).expect("given");
        assert_eq!((own.lr, own.weight_decay), (0.5, 5e-4));
        let short = new(&[("epochs", "1"), ("warmup", "0.9")]).expect("given");
        assert_eq!(short.warmup_epochs, 0.9);
        assert_eq!(new(&[("epochs", "1")]).expect("given").warmup_epochs, 0.25);
    }

    #[test]
    fn what_suits_a_setting_stands_behind_it_in_the_table() {
        let odd = TrainConfig { lr: 77.0, weight_decay: 77.0, warmup_epochs: 77.0, ..TrainConfig::default() };
        for (i, setting) in SETTINGS.iter().enumerate() {
            let mut config = odd.clone();
            (setting.suits)(&mut config);
            assert!(
                SETTINGS[..=i].iter().all(|other| other.value_in(&config) == other.value_in(&odd)),
                "{}",
                setting.name
            );
        }
    }

    #[test]
    fn what_means_nothing_beside_others_is_refused() {
        for (list, part) in [
            (&[("warmup", "0.5"), ("schedule", "onecycle")][..], "--warmup means nothing with --schedule onecycle"),
            (&[("momentum", "0.5"), ("optimizer", "adam")], "only --optimizer sgd and nesterov"),
            (&[("fold", "2")], "--fold means nothing without --folds"),
            (&[("augment", "crop,none")], "--augment: none goes with nothing else"),
        ] {
            let error = new(list).expect_err("refused").to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn what_a_run_was_not_trained_with_is_found() {
        let config = new(&[("lr", "0.5"), ("optimizer", "sgd")]).expect("given");
        let differing = |list| config.differing(&given(list)).expect("values").map(|(s, value)| (s.flag, value));
        assert_eq!(differing(&[("lr", "0.50"), ("optimizer", "sgd"), ("data", "elsewhere"), ("strict", "true")]), None);
        assert_eq!(differing(&[("optimizer", "sgd"), ("lr", "0.1")]), Some(("lr", "0.5".to_string())));
    }

    #[test]
    fn a_run_that_goes_on_takes_what_may_change_and_nothing_that_suits_it() {
        let mut config = TrainConfig { epochs: 2, warmup_epochs: 1.0, ..TrainConfig::default() };
        config.give_on_resume(&given(&[("epochs", "3"), ("lr", "0.1")])).expect("may change");
        assert_eq!((config.epochs, config.lr, config.warmup_epochs), (3, 0.1, 1.0));
        let error = config.give_on_resume(&given(&[("seed", "3")])).expect_err("refused").to_string();
        assert!(
            error.starts_with("--seed cannot be changed when a run goes on (--data, --strict, --epochs, "),
            "{error}"
        );
    }
}
