//! Models that a TOML file describes, layer by layer.

mod fields;
mod kinds;

use super::NamedModel;
use crate::error::{NnError, Result};
use crate::layers::Sequential;
use fields::{Fields, line_of};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The ending by which a model's name is that of such a file.
pub const DESCRIBED: &str = ".toml";

impl NamedModel {
    /// The model that a text describes: `image = [height, width, channels]` that it is usually for, and `[[layers]]` from the images to
    /// the outputs, whose number `units = "classes"` is. `name` is its name, for messages too.
    ///
    /// # Errors
    /// What is wrong with the text, with the line.
    pub fn described(name: &str, text: &str) -> Result<NamedModel> {
        let image = with_layers(name, text, 2, |top, _| top.numbers("image"))?;
        let image = match image {
            None => [32, 32, 3],
            Some(image) => image
                .try_into()
                .map_err(|_| NnError::Option(format!("{name}: image has three numbers, height, width and channels")))?,
        };
        let (path, own) = (name.to_string(), text.to_string());
        let mut model =
            NamedModel::new(name, image, move |classes, _| with_layers(&path, &own, classes, |_, layers| Ok(layers)));
        model.text = Some(text.into());
        Ok(model)
    }
}

/// Reads the text for so many classes and gives what is wanted of it.
fn with_layers<T>(
    name: &str,
    text: &str,
    classes: usize,
    wanted: impl FnOnce(&mut Fields<'_>, Sequential) -> std::result::Result<T, Wrong>,
) -> Result<T> {
    let told = |Wrong { at, what }: Wrong| NnError::Option(format!("{name}, line {}: {what}", line_of(text, at)));
    let read = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        told(Wrong { at, what: error.message().to_string() })
    });
    let read = read?;
    let mut top = Fields::new("a model", read.get_ref(), 0);
    let layers = top.tables("layers").and_then(|tables| match tables {
        Some(tables) => chain(&tables, classes),
        None => Err(Wrong { at: 0, what: "there are no [[layers]]".to_string() }),
    });
    let layers = layers.map_err(told)?;
    let found = wanted(&mut top, layers).map_err(told)?;
    top.skip(&["name", "image"]);
    top.end().map_err(told)?;
    Ok(found)
}

/// What is wrong with a text, and where.
pub(super) struct Wrong {
    at: usize,
    what: String,
}

/// The layers of a list, one after the other. A layer without a name is called by its place, one that is repeated by its name and a number.
fn chain(tables: &[&Spanned<DeValue<'_>>], classes: usize) -> std::result::Result<Sequential, Wrong> {
    let mut layers = Sequential::new();
    let (mut place, mut names) = (0, vec![]);
    for table in tables {
        let at = table.span().start;
        let DeValue::Table(fields) = table.get_ref() else {
            return Err(Wrong { at, what: "a layer is a table, as { type = \"relu\" }".to_string() });
        };
        let mut fields = Fields::new("a layer", fields, at);
        let kind = fields.needed_text("type")?;
        let (name, times) = (fields.text("name")?, fields.repeat()?);
        for number in 1..=times {
            let own = match (&name, times) {
                (None, _) => place.to_string(),
                (Some(name), 1) => name.clone(),
                (Some(name), _) => format!("{name}{number}"),
            };
            if names.contains(&own) || own.contains('/') || own.is_empty() {
                return Err(Wrong {
                    at,
                    what: format!("{own:?} cannot be the name of a layer here: it is taken, empty, or has a slash"),
                });
            }
            layers = layers.named(&own, kinds::layer(&kind, &mut fields.again(&kind), classes)?);
            names.push(own);
            place += 1;
        }
    }
    Ok(layers)
}
