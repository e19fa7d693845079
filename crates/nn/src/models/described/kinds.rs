//! The types of layers that a model's text can name.

use super::fields::Fields;
use super::{Wrong, chain};
use crate::context::Module;
use crate::layers::{
    Activation, AdaptiveAvgPool2d, AvgPool2d, BatchNorm2d, Concat, Conv2d, DropPath, Dropout, Flatten, GlobalAvgPool,
    GlobalMaxPool, LayerNorm, LayerScale, Linear, MaxPool2d, Sequential, SqueezeExcite, Sum,
};
use chiaro_graph::Class;

type Read<T> = std::result::Result<T, Wrong>;
type Make = fn(&mut Fields<'_>, usize) -> Read<Box<dyn Module>>;

/// Every type but the activations, which go by their names.
const KINDS: &[(&str, Make)] = &[
    ("conv", conv),
    ("batch-norm", |_, _| Ok(Box::new(BatchNorm2d::new()))),
    ("layer-norm", |_, _| Ok(Box::new(LayerNorm { eps: 1e-5 }))),
    ("max-pool", |fields, _| {
        let size = fields.needed_number("size")?;
        let mut pool = MaxPool2d::new(size);
        pool.0.stride = [fields.number("stride")?.unwrap_or(size); 2];
        pool.0.padding = [fields.number_or_zero("padding")?.unwrap_or(0); 2];
        Ok(Box::new(pool))
    }),
    ("avg-pool", |fields, _| {
        let size = fields.needed_number("size")?;
        let mut pool = AvgPool2d::new(size);
        pool.spec.stride = [fields.number("stride")?.unwrap_or(size); 2];
        Ok(Box::new(pool))
    }),
    ("adaptive-avg-pool", |fields, _| Ok(Box::new(AdaptiveAvgPool2d([fields.needed_number("size")?; 2])))),
    ("global-avg-pool", |_, _| Ok(Box::new(GlobalAvgPool))),
    ("global-max-pool", |_, _| Ok(Box::new(GlobalMaxPool))),
    ("flatten", |_, _| Ok(Box::new(Flatten))),
    ("dense", |fields, classes| {
        let mut dense = Linear::new(fields.units("units", classes)?);
        dense.bias = fields.switch("bias")?.unwrap_or(true);
        Ok(Box::new(dense))
    }),
    ("dropout", |fields, _| Ok(Box::new(Dropout { p: fields.share("p")?.unwrap_or(0.5) }))),
    ("drop-path", |fields, _| Ok(Box::new(DropPath { p: fields.share("p")?.unwrap_or(0.1), depth: 1.0 }))),
    ("squeeze-excite", |fields, _| Ok(Box::new(SqueezeExcite::new(fields.needed_number("reduced")?)))),
    ("layer-scale", |fields, _| Ok(Box::new(LayerScale { initial: fields.real("initial")?.unwrap_or(1e-6) }))),
    ("residual", |fields, classes| {
        let (inner, shortcut) = (branch(fields, "layers", classes)?, branch(fields, "shortcut", classes)?);
        let inner = inner.ok_or_else(|| Wrong { at: fields.at(), what: "residual needs layers".to_string() })?;
        // What stands in the shortcut has names of its own beside those of the layers.
        let shortcut = shortcut.map_or_else(Sequential::new, |shortcut| Sequential::new().named("shortcut", shortcut));
        Ok(Box::new(Sum(vec![inner, shortcut])))
    }),
    ("concat", |fields, classes| {
        let inner = branch(fields, "layers", classes)?;
        let inner = inner.ok_or_else(|| Wrong { at: fields.at(), what: "concat needs layers".to_string() })?;
        Ok(Box::new(Concat(vec![Sequential::new(), inner])))
    }),
];

/// A layer of this type with these fields.
pub(super) fn layer(kind: &str, fields: &mut Fields<'_>, classes: usize) -> Read<Box<dyn Module>> {
    let made = match KINDS.iter().find(|(name, _)| *name == kind) {
        Some((_, make)) => make(fields, classes)?,
        None => Box::new(activation(kind).ok_or_else(|| unknown(kind, fields.at_type()))?),
    };
    fields.end()?;
    Ok(made)
}

fn unknown(kind: &str, at: usize) -> Wrong {
    let kinds = KINDS.iter().map(|(name, _)| name.to_string()).chain(activations().map(|op| op.name().to_lowercase()));
    let what = format!("{kind:?} is no type of layer; there are {}", kinds.collect::<Vec<_>>().join(", "));
    Wrong { at, what }
}

/// The ops of the table that are layers: of floats, whose operands behind the first have usual numbers.
fn activations() -> impl Iterator<Item = Activation> {
    let is_layer = |op: &Activation| op.class() == Class::Float && op.operands().len() == 1 + op.usual_numbers().len();
    Activation::ALL.iter().copied().filter(is_layer)
}

fn activation(name: &str) -> Option<Activation> {
    let plain = |name: &str| name.replace(['-', '_'], "").to_lowercase();
    activations().find(|op| plain(op.name()) == plain(name))
}

fn branch(fields: &mut Fields<'_>, name: &str, classes: usize) -> Read<Option<Sequential>> {
    fields.tables(name)?.map(|tables| chain(&tables, classes)).transpose()
}

/// A convolution; without padding of its own it keeps the extents, at a stride of 1.
fn conv(fields: &mut Fields<'_>, _: usize) -> Read<Box<dyn Module>> {
    let (channels, kernel) = (fields.needed_number("channels")?, fields.number("kernel")?.unwrap_or(3));
    let padding = fields.number_or_zero("padding")?.unwrap_or(kernel / 2);
    let mut conv = Conv2d::new(channels, kernel).padding(padding).stride(fields.number("stride")?.unwrap_or(1));
    conv = conv.groups(fields.number("groups")?.unwrap_or(1));
    conv.bias = fields.switch("bias")?.unwrap_or(true);
    Ok(Box::new(conv))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::NamedModel;

    const PAGE: &str = include_str!("../../../../../docs/models.md");

    /// What stands between backticks.
    fn quoted(text: &str) -> Vec<&str> {
        text.split('`').skip(1).step_by(2).collect()
    }

    #[test]
    fn the_page_of_models_tells_every_type_with_its_fields() {
        let mut told = vec![];
        for row in PAGE.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let (kind, fields, example) = (quoted(cells[1])[0], quoted(cells[2]), quoted(cells[4])[0]);
            let read = |more: &str| NamedModel::described("x", &format!("layers = [{{ {example}{more} }}]"));
            assert!(read("").is_ok(), "{example}");
            let error = read(", other = 1").expect_err("refused").to_string();
            let takes = [&fields[..], &["name", "repeat"]].concat().join(", ");
            assert!(error.ends_with(&format!("{kind} has no \"other\"; it takes {takes}")), "{error}: {row}");
            told.push(kind.to_string());
        }
        assert_eq!(told, KINDS.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>());
        let words = PAGE.split("Activations are").nth(1).and_then(|rest| rest.split("\n## ").next());
        let words = words.map(quoted).expect("a list");
        for name in activations().map(|op| op.name().to_lowercase()) {
            assert!(words.contains(&name.as_str()), "{name}");
        }
        assert!(words.iter().all(|name| activation(name).is_some()), "{words:?}");
    }

    #[test]
    fn the_example_of_the_page_of_models_is_one() {
        let text = PAGE.split("```").nth(1).and_then(|block| block.strip_prefix("toml")).expect("an example");
        let model = NamedModel::described("page.toml", text).expect("read").build(10, [32, 32, 3]).expect("fits");
        assert!(model.declared().states.iter().any(|state| state.name == "block2.conv1.weight"));
    }
}
