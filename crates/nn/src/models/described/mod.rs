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
        let model =
            NamedModel::new(name, image, move |classes, _| with_layers(&path, &own, classes, |_, layers| Ok(layers)));
        Ok(NamedModel { text: Some(text.into()), ..model })
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
        let (name, times) = (fields.text("name")?, fields.number("repeat")?.unwrap_or(1));
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

#[cfg(test)]
mod tests {
    use super::*;

    const NET: &str = r#"
image = [28, 28, 1]

[[layers]]
name = "conv"
type = "conv"
channels = 8
bias = false

[[layers]]
type = "batch-norm"

[[layers]]
type = "relu"

[[layers]]
name = "block"
type = "residual"
repeat = 2
layers = [
    { name = "conv", type = "conv", channels = 8, groups = 8 },
    { type = "gelu" },
    { name = "se", type = "squeeze-excite", reduced = 2 },
    { type = "layer-scale", initial = 0.1 },
    { type = "drop-path", p = 0.1 },
]

[[layers]]
type = "max-pool"
size = 2

[[layers]]
type = "residual"
layers = [{ type = "conv", channels = 16, stride = 2 }]
shortcut = [{ type = "conv", channels = 16, kernel = 1, stride = 2 }]

[[layers]]
type = "global-avg-pool"

[[layers]]
name = "fc"
type = "dense"
units = "classes"
"#;

    #[test]
    fn a_model_is_made_of_the_layers_that_its_text_names() {
        let named = NamedModel::described("net.toml", NET).expect("read");
        assert_eq!(named.image, [28, 28, 1]);
        let model = named.build(10, [28, 28, 1]).expect("fits");
        let states: Vec<(&str, Vec<usize>)> =
            model.declared().states.iter().map(|state| (state.name.as_str(), state.shape.clone())).collect();
        for (name, shape) in [
            ("conv.weight", vec![8, 3, 3, 1]),
            ("1.weight", vec![8]),
            ("block1.conv.weight", vec![8, 3, 3, 1]),
            ("block2.se.fc1.weight", vec![2, 1, 1, 8]),
            ("block2.3.layer_scale", vec![8, 1, 1]),
            ("fc.weight", vec![10, 16]),
        ] {
            assert!(states.contains(&(name, shape)), "{name} {states:?}");
        }
        assert!(!states.iter().any(|(name, _)| *name == "conv.bias"));
        assert_eq!(named.build(3, [28, 28, 1]).expect("fits").classes, 3);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let error = |text: &str| NamedModel::described("net.toml", text).expect_err("refused").to_string();
        let layer = |fields: &str| error(&format!("image = [8, 8, 1]\n\n[[layers]]\n{fields}\n"));
        for (found, parts) in [
            (error(""), &["net.toml, line 1: there are no [[layers]]"][..]),
            (error("image = [8, 8"), &["net.toml, line 1: "]),
            (layer("type = \"conf\""), &["line 4: \"conf\" is no type of layer; there are conv, ", "relu"]),
            (layer("type = \"conv\""), &["line 3: conv needs channels"]),
            (
                layer("type = \"conv\"\nchanels = 3\nchannels = 3"),
                &["line 5: conv has no \"chanels\"; it takes channels, kernel"],
            ),
            (layer("type = \"conv\"\nchannels = \"many\""), &["line 5: channels is a whole number from 1 on"]),
            (layer("type = \"conv\"\nchannels = 0"), &["line 5: channels is a whole number from 1 on"]),
            (layer("type = \"dropout\"\np = 1.5"), &["line 5: p is a share"]),
            (layer("channels = 3"), &["line 3: a layer needs type"]),
            (layer("type = \"relu\"\nname = \"a/b\""), &["line 3: \"a/b\" cannot be the name"]),
            (layer("type = \"residual\"\nlayers = [3]"), &["line 5: a layer is a table"]),
        ] {
            assert!(parts.iter().all(|part| found.contains(part)), "{parts:?}: {found}");
        }
        // Layers that do not fit each other are told by their path.
        let named =
            NamedModel::described("net.toml", "[[layers]]\nname = \"fc\"\ntype = \"dense\"\nunits = 3").expect("read");
        assert!(named.build(10, [8, 8, 1]).is_err());
    }
}
