//! Models from TOML text: their layers, and what is told of mistakes.

use chiaro_nn::models::NamedModel;

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
        (layer("type = \"relu\"\nrepeat = 3000000"), &["line 5: repeat is a whole number from 1 to 1000"]),
        (
            error("input = [8, 8, 1]\n[[layers]]\ntype = \"relu\""),
            &["line 1: a model has no \"input\"; it takes layers, image, name"],
        ),
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
