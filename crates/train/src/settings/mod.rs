//! The settings of a run. Each is declared once, as a row of `table.rs`; the options of the command line, the settings' part of
//! `args.toml`, the checks, the rule of resuming and the reference page are made from the rows.

mod augmentation;
mod choice;
mod class_weights;
mod file;
mod fine_tuned;
mod freeze;
mod given;
mod holding_out;
mod images;
mod numbers;
mod optimizer;
mod progressive;
mod range;
mod reference;
mod relations;
mod suited;
mod table;
mod task_name;
mod value;

pub use augmentation::Augmentation;
pub use choice::{LossName, NormsName, PrecisionName, Residency, SamplingName, ScheduleName};
pub use class_weights::ClassWeights;
pub use freeze::Freeze;
pub use given::GivenSetting;
pub use holding_out::GroupName;
pub use numbers::Numbers;
pub use optimizer::OptimizerName;
pub use progressive::Progressive;
pub use range::Range;
pub use reference::reference;
pub(crate) use relations::check_steps;
pub(crate) use suited::shows_several;
pub use table::{SETTINGS, TrainConfig};
pub use task_name::TaskName;
pub use value::{Choice, SettingValue};

use chiaro_nn::TrainOptions;
use serde_json::Value;

use crate::error::{Result, TrainError};

/// What becomes of a run that goes on with another value of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnResume {
    /// It is refused: the arenas' layout, the order of images, or the meaning of the checkpoint's numbers hang on it.
    Refused,
    /// It goes on, and the change is told: what comes out is another from there on.
    Told,
    /// It goes on: only how fast or where it is trained changes.
    Silent,
}

/// What a row of the table says of a setting beside its name, type, default and words; a row names what is not as in
/// [`Row::PLAIN`].
pub(crate) struct Row<T> {
    /// The option of the command line; empty where it is the name.
    flag: &'static str,
    /// Other spellings of the option.
    aliases: &'static [&'static str],
    /// What stands for the value in the help.
    value: &'static str,
    /// The default in words, where it hangs on something else.
    usual: &'static str,
    range: Range,
    on_resume: OnResume,
    /// Gives settings that stand behind it in the table what suits a new value of this one, unless they are given themselves.
    suits: fn(&mut TrainConfig),
    /// What it means for the training step.
    means: fn(&T, &mut TrainOptions),
}

impl<T> Row<T> {
    const PLAIN: Row<T> = Row {
        flag: "",
        aliases: &[],
        value: "N",
        usual: "",
        range: Range::ANY,
        on_resume: OnResume::Refused,
        suits: |_| {},
        means: |_, _| {},
    };
}

/// A setting of a run.
pub struct Setting {
    /// The name, as files and the fields of [`TrainConfig`] have it.
    pub name: &'static str,
    /// The option of the command line, without its dashes.
    pub flag: &'static str,
    /// Other spellings of the option.
    pub aliases: &'static [&'static str],
    /// What stands for the value in the help.
    pub value: &'static str,
    /// What kind of value it has, in words.
    pub kind: &'static str,
    /// Whether the option stands alone, without a value.
    pub switch: bool,
    /// The numbers that it may have.
    pub range: Range,
    /// What becomes of a run that goes on with another value.
    pub on_resume: OnResume,
    words: &'static str,
    usual: &'static str,
    choices: fn() -> Vec<Choice>,
    parse: fn(&mut TrainConfig, &str) -> std::result::Result<(), String>,
    show: fn(&TrainConfig) -> String,
    number: fn(&TrainConfig) -> Option<f64>,
    json: fn(&TrainConfig) -> Value,
    read: fn(&mut TrainConfig, Value) -> std::result::Result<(), String>,
    suits: fn(&mut TrainConfig),
    means: fn(&TrainConfig, &mut TrainOptions),
}

impl Setting {
    /// What it is, in a sentence.
    pub fn help(&self) -> &'static str {
        self.words.trim()
    }

    /// The values there are; none where they cannot be listed.
    pub fn choices(&self) -> Vec<Choice> {
        (self.choices)()
    }

    /// The default, in words where it hangs on something else; empty where it is unset.
    pub fn default_words(&self) -> String {
        match self.usual {
            "" => (self.show)(&TrainConfig::default()),
            words => words.to_string(),
        }
    }

    /// Its value in some settings, as files have it.
    pub fn value_in(&self, config: &TrainConfig) -> Value {
        (self.json)(config)
    }

    /// Its value in some settings, as an option has it; empty where it is unset.
    pub fn shown_in(&self, config: &TrainConfig) -> String {
        (self.show)(config)
    }

    /// Sets it to what a file has.
    pub(crate) fn take(&self, config: &mut TrainConfig, value: Value) -> std::result::Result<(), String> {
        (self.read)(config, value)
    }

    /// Whether it goes by this name, as options or files spell it.
    pub fn is_named(&self, name: &str) -> bool {
        let dashed = name.replace('_', "-");
        name == self.name || dashed == self.flag || self.aliases.contains(&dashed.as_str())
    }

    /// Looks whether a text is a value of this setting.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn accepts(&self, text: &str) -> std::result::Result<(), String> {
        let mut config = TrainConfig::default();
        (self.parse)(&mut config, text)?;
        self.check(&config)
    }

    fn check(&self, config: &TrainConfig) -> std::result::Result<(), String> {
        match (self.number)(config) {
            Some(number) if !self.range.holds(number) => {
                Err(format!("--{} must be {}, not {number}", self.flag, self.range))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The setting of this name, as options or files spell it.
pub fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.is_named(name))
}

impl TrainConfig {
    /// Looks whether every number is in its range, whether the optimizer is known, and whether the settings fit each other: what a
    /// run must have to train, not to be evaluated.
    ///
    /// # Errors
    /// [`TrainError::Setting`] for the first that is not; of an unknown optimizer the error lists those that exist.
    pub fn check(&self) -> Result<()> {
        SETTINGS.iter().try_for_each(|setting| setting.check(self)).map_err(TrainError::Setting)?;
        self.optimizer.known()?;
        relations::check(self)
    }

    /// Changes the options of a training step as each setting says for itself.
    pub(crate) fn shape(&self, options: &mut TrainOptions) {
        SETTINGS.iter().for_each(|setting| (setting.means)(self, options));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_settings_share_a_spelling_and_options_are_spelled_with_dashes() {
        for (i, one) in SETTINGS.iter().enumerate() {
            for name in [&[one.name, one.flag], one.aliases].concat() {
                let others = SETTINGS.iter().enumerate().filter(|(j, other)| *j != i && other.is_named(name));
                assert_eq!(others.count(), 0, "{name}");
            }
            assert!(!one.flag.contains('_') && !one.help().is_empty() && !one.help().ends_with('.'), "{}", one.name);
        }
    }

    #[test]
    fn every_default_is_a_value_of_its_setting() {
        TrainConfig::default().check().expect("in range");
        for setting in SETTINGS.iter().filter(|setting| !setting.switch) {
            let shown = (setting.show)(&TrainConfig::default());
            assert!(shown.is_empty() || setting.accepts(&shown).is_ok(), "{} {shown}", setting.name);
        }
    }

    #[test]
    fn numbers_outside_their_range_are_refused_by_the_options_name() {
        let refused = |config: TrainConfig| config.check().expect_err("refused").to_string();
        let good = TrainConfig::default;
        assert_eq!(refused(TrainConfig { lr: -1.0, ..good() }), "--lr must be above 0, not -1");
        assert_eq!(refused(TrainConfig { clip: Some(f64::NAN), ..good() }), "--clip must be above 0, not NaN");
        assert_eq!(
            refused(TrainConfig { momentum: 1.0, ..good() }),
            "--momentum must be at least 0 and below 1, not 1"
        );
        assert_eq!(refused(TrainConfig { batch_size: 0, ..good() }), "--batch-size must be at least 1, not 0");
        assert_eq!(refused(TrainConfig { limit: Some(0), ..good() }), "--limit must be at least 1, not 0");
        let warm = refused(TrainConfig { warmup_epochs: 9.0, ..good() });
        assert_eq!(warm, "--warmup must be from 0 to 3 epochs, the length of the run, not 9");
    }
}
