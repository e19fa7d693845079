//! The settings of `chiaro train` as options, made from the table of settings: what is given replaces what suits the data.

use chiaro::train::TrainConfig;
use chiaro::train::settings::{Choice, Given, SETTINGS, Setting, SettingValue};
use clap::builder::{PossibleValue, PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command};

/// Settings that were given, as texts.
#[derive(Clone)]
pub struct Overrides {
    given: Vec<Given>,
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
        given.extend(chiaro::train::settings::setting(name).zip(text.cloned()));
        Overrides { given }
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
        Ok(Overrides { given: SETTINGS.iter().filter_map(|setting| Some((setting, text(setting)?))).collect() })
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
    arg.help(help).value_name(setting.value).value_parser(parser(setting)).action(action)
}

fn parser(setting: &'static Setting) -> ValueParser {
    let choices = setting.choices();
    // Of a list each word is one of the choices, not the whole text.
    if choices.is_empty() || setting.kind == "list" {
        return ValueParser::new(move |text: &str| setting.accepts(text).map(|()| text.to_string()));
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
