//! The settings of `chiaro train` as options, made from the table of settings: what is given replaces what suits the data.

use chiaro::train::TrainConfig;
use chiaro::train::settings::{Choice, GivenSetting, OnResume, SETTINGS, Setting, SettingValue};
use clap::builder::{PossibleValue, PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::train::words::shell;

/// The setting that the command line can leave to the memory, by this word.
const BATCH: &str = "batch_size";
const AUTO: &str = "auto";

/// Settings that were given, as texts.
#[derive(Clone)]
pub struct Overrides {
    given: Vec<GivenSetting>,
    auto_batch: bool,
}

impl Overrides {
    /// Replaces settings of a new run by those given.
    ///
    /// # Errors
    /// If they mean nothing beside each other.
    pub fn apply(&self, config: &mut TrainConfig) -> chiaro::train::Result<()> {
        config.give(&self.given)
    }

    /// The same for a run that goes on.
    ///
    /// # Errors
    /// If one of them cannot change.
    pub fn apply_on_resume(&self, config: &mut TrainConfig) -> chiaro::train::Result<()> {
        config.give_on_resume(&self.given)
    }

    /// The same with a setting that was given otherwise, if it was.
    pub fn with(&self, name: &str, text: Option<&String>) -> Overrides {
        let mut given = self.given.clone();
        if text.is_some() {
            given.retain(|(setting, _)| setting.name != name);
        }
        given.extend(chiaro::train::settings::setting(name).zip(text.cloned()));
        Overrides { given, ..*self }
    }

    /// What of these a run takes that goes on where it was.
    pub fn for_going_on(&self) -> Overrides {
        let mut given = self.given.clone();
        given.retain(|(setting, _)| setting.name != "data" && setting.on_resume != OnResume::Refused);
        Overrides { given, auto_batch: false }
    }

    /// The flag of a setting that a run was trained with otherwise, and its value there.
    ///
    /// # Errors
    /// If one of these is no value of its setting.
    pub fn differing(&self, run: &TrainConfig) -> chiaro::train::Result<Option<(&'static str, String)>> {
        Ok(run.differing(&self.given)?.map(|(setting, value)| (setting.flag, value)))
    }

    /// These over others, which count where nothing is given here.
    pub fn over(&self, others: Vec<GivenSetting>) -> Overrides {
        let mut given = self.given.clone();
        given.extend(others.into_iter().filter(|(setting, _)| !self.is_given(setting.name)));
        Overrides { given, ..*self }
    }

    /// The text that was given for a setting.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.given.iter().rev().find(|(setting, _)| setting.name == name).map(|(_, text)| text.as_str())
    }

    /// Whether the batch size is to be found.
    pub fn auto_batch(&self) -> bool {
        self.auto_batch
    }

    /// What was given as a command line has it, each with a blank before it, but for some settings.
    pub fn shown(&self, without: &[&str]) -> String {
        let others = self.given.iter().filter(|(setting, _)| !without.contains(&setting.name));
        let words = |(setting, text): &GivenSetting| match setting.switch {
            true => format!(" --{}", setting.flag),
            false => format!(" --{} {}", setting.flag, shell(text.as_ref())),
        };
        others.map(words).collect()
    }

    /// Whether a setting was given.
    pub fn is_given(&self, name: &str) -> bool {
        self.given.iter().any(|(setting, _)| setting.name == name)
    }
}

impl clap::Args for Overrides {
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().map(option))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Overrides {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let text = |setting: &Setting| match setting.switch {
            true => matches.get_flag(setting.name).then(|| "true".to_string()),
            // Of a list that was given piece by piece all pieces count.
            false => matches.get_many::<String>(setting.name).map(|all| all.cloned().collect::<Vec<_>>().join(",")),
        };
        let is_auto = |(setting, text): &GivenSetting| setting.name == BATCH && text == AUTO;
        let all: Vec<GivenSetting> = SETTINGS.iter().filter_map(|setting| Some((setting, text(setting)?))).collect();
        let auto_batch = all.iter().any(is_auto);
        Ok(Overrides { given: all.into_iter().filter(|given| !is_auto(given)).collect(), auto_batch })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A setting as an option.
fn option(setting: &'static Setting) -> Arg {
    let arg = Arg::new(setting.name).long(setting.flag).aliases(setting.aliases.iter().copied());
    if setting.switch {
        return arg.help(setting.help()).action(ArgAction::SetTrue);
    }
    let help = match setting.default_words() {
        words if words.is_empty() => setting.help().to_string(),
        words => format!("{} [default: {words}]", setting.help()),
    };
    let action = if setting.kind == "list" { ArgAction::Append } else { ArgAction::Set };
    // A number below 0 is refused for its range, not taken for an option.
    arg.help(help).value_name(setting.value).value_parser(parser(setting)).action(action).allow_negative_numbers(true)
}

fn parser(setting: &'static Setting) -> ValueParser {
    let choices = setting.choices();
    // Of a list each word is one of the choices, not the whole text.
    if choices.is_empty() || setting.kind == "list" {
        let is_auto = move |text: &str| setting.name == BATCH && text == AUTO;
        let checked = move |text: &str| if is_auto(text) { Ok(()) } else { setting.accepts(text) };
        return ValueParser::new(move |text: &str| checked(text).map(|()| text.to_string()));
    }
    let value = |choice: &Choice| match choice.help {
        "" => PossibleValue::new(choice.name),
        help => PossibleValue::new(choice.name).help(help),
    };
    let values = choices.iter().map(value);
    PossibleValuesParser::new(values).into()
}

/// `64` or `48x64` as height and width.
pub fn parse_size(text: &str) -> Result<[usize; 2], String> {
    SettingValue::parse(text)
}
