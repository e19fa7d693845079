//! The fields of a table of a model's text, each asked for by its name.

use super::Wrong;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

type Read<T> = std::result::Result<T, Wrong>;

/// A layer is repeated so often at most: more is a slip, and would take minutes to build.
const MOST_REPEATS: usize = 1000;

/// The fields of a table. What nobody has asked for in the end is wrong.
pub(super) struct Fields<'t> {
    /// What the table is of, for messages.
    what: String,
    table: &'t DeTable<'t>,
    at: usize,
    asked: Vec<String>,
}

/// The line of a place in a text, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

impl<'t> Fields<'t> {
    pub fn new(what: &str, table: &'t DeTable<'t>, at: usize) -> Fields<'t> {
        Fields { what: what.to_string(), table, at, asked: vec![] }
    }

    /// The same table, of which nothing but what every layer has was asked for.
    pub fn again(&self, what: &str) -> Fields<'t> {
        let asked = ["type", "name", "repeat"].map(String::from).to_vec();
        Fields { what: what.to_string(), table: self.table, at: self.at, asked }
    }

    /// Fields that may be there and are of no matter.
    pub fn skip(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.ask(name));
    }

    fn ask(&mut self, name: &str) {
        if !self.asked.iter().any(|asked| asked == name) {
            self.asked.push(name.to_string());
        }
    }

    fn get(&mut self, name: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.ask(name);
        self.table.iter().find(|(key, _)| *key.get_ref() == name).map(|(_, value)| value)
    }

    fn read<T>(&mut self, name: &str, is: &str, of: impl Fn(&'t DeValue<'t>) -> Option<T>) -> Read<Option<T>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let wrong = || Wrong { at: value.span().start, what: format!("{name} is {is}") };
        of(value.get_ref()).map(Some).ok_or_else(wrong)
    }

    fn needed<T>(&self, name: &str, found: Option<T>) -> Read<T> {
        found.ok_or_else(|| Wrong { at: self.at, what: format!("{} needs {name}", self.what) })
    }

    pub fn text(&mut self, name: &str) -> Read<Option<String>> {
        self.read(name, "a text in quotes", |value| value.as_str().map(str::to_string))
    }

    pub fn needed_text(&mut self, name: &str) -> Read<String> {
        let found = self.text(name)?;
        self.needed(name, found)
    }

    /// A whole number from 1 on.
    pub fn number(&mut self, name: &str) -> Read<Option<usize>> {
        self.read(name, "a whole number from 1 on", whole)
    }

    /// How often a layer stands after itself; 1 where nothing is told.
    pub fn repeat(&mut self) -> Read<usize> {
        let is = format!("a whole number from 1 to {MOST_REPEATS}");
        let found = self.read("repeat", &is, |value| whole(value).filter(|times| *times <= MOST_REPEATS))?;
        Ok(found.unwrap_or(1))
    }

    pub fn needed_number(&mut self, name: &str) -> Read<usize> {
        let found = self.number(name)?;
        self.needed(name, found)
    }

    /// The same from 0 on.
    pub fn number_or_zero(&mut self, name: &str) -> Read<Option<usize>> {
        self.read(name, "a whole number from 0 on", |value| value.as_integer()?.as_str().parse().ok())
    }

    /// A number from 1 on, or that of the classes.
    pub fn units(&mut self, name: &str, classes: usize) -> Read<usize> {
        let of = |value: &'t DeValue<'t>| if value.as_str() == Some("classes") { Some(classes) } else { whole(value) };
        let found = self.read(name, "a whole number from 1 on, or \"classes\"", of)?;
        self.needed(name, found)
    }

    pub fn numbers(&mut self, name: &str) -> Read<Option<Vec<usize>>> {
        let of = |value: &'t DeValue<'t>| value.as_array()?.iter().map(|item| whole(item.get_ref())).collect();
        self.read(name, "a list of whole numbers from 1 on", of)
    }

    /// A number with digits behind the point or without.
    pub fn real(&mut self, name: &str) -> Read<Option<f64>> {
        self.read(name, "a number", real)
    }

    pub fn share(&mut self, name: &str) -> Read<Option<f64>> {
        self.read(name, "a share, at least 0 and below 1", |value| real(value).filter(|p| (0.0..1.0).contains(p)))
    }

    pub fn switch(&mut self, name: &str) -> Read<Option<bool>> {
        self.read(name, "true or false", DeValue::as_bool)
    }

    pub fn tables(&mut self, name: &str) -> Read<Option<Vec<&'t Spanned<DeValue<'t>>>>> {
        self.read(name, "a list of layers", |value| Some(value.as_array()?.iter().collect()))
    }

    /// Where the table is.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Where the type is told.
    pub fn at_type(&mut self) -> usize {
        self.get("type").map_or(self.at, |value| value.span().start)
    }

    /// Refuses what nobody has asked for.
    pub fn end(&self) -> Read<()> {
        let known = |name: &str| self.asked.iter().any(|asked| asked == name);
        let Some((key, _)) = self.table.iter().find(|(key, _)| !known(key.get_ref())) else { return Ok(()) };
        let takes: Vec<&str> = self.asked.iter().map(String::as_str).filter(|name| *name != "type").collect();
        let what = format!("{} has no {:?}; it takes {}", self.what, key.get_ref().as_ref(), ordered(takes).join(", "));
        Err(Wrong { at: key.span().start, what })
    }
}

/// What all layers take stands behind what this one takes.
fn ordered(names: Vec<&str>) -> Vec<&str> {
    let (common, own): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| ["name", "repeat"].contains(name));
    [own, common].concat()
}

fn whole(value: &DeValue<'_>) -> Option<usize> {
    value.as_integer()?.as_str().parse().ok().filter(|number| *number > 0)
}

fn real(value: &DeValue<'_>) -> Option<f64> {
    let text =
        value.as_float().map(|float| float.as_str()).or_else(|| value.as_integer().map(|whole| whole.as_str()))?;
    text.parse().ok().filter(|number: &f64| number.is_finite())
}
