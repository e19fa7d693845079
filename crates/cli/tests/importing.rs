//! End to end: weights of PyTorch in the shapes that training scripts leave them, and what is said where they are not imported first.

mod common;
#[path = "../../io/tests/support/pickled.rs"]
mod pickled;

use std::path::Path;

use chiaro::nn::models;
use common::{arg, expect, expect_error};
use pickled::{Value, dict, file, pair};

/// The weights of a LeNet, all of this value.
fn weights(prefix: &str, value: f32) -> Vec<(String, Value)> {
    let model = models::by_name("lenet5", 10, [28, 28, 1]).expect("a model");
    let one = |state: &chiaro::nn::DeclaredState| {
        let shape = match state.shape[..] {
            [o, h, w, i] => vec![o, i, h, w],
            _ => state.shape.clone(),
        };
        let n = shape.iter().product();
        (format!("{prefix}{}", state.name), Value::Tensor(shape, vec![value; n]))
    };
    model.declared().states.iter().map(one).collect()
}

fn write(path: &Path, value: &Value) {
    std::fs::write(path, file(value)).expect("written");
}

#[test]
fn averages_and_names_within_something_larger_are_imported_and_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let [path, run] = ["ema.pth", "run"].map(|name| folder.path().join(name));
    let both = dict([
        ("state_dict", Value::Dict(weights("model.", 1.0))),
        ("state_dict_ema", Value::Dict(weights("model.", 0.5))),
        ("scheduler", Value::None),
    ]);
    write(&path, &both);
    let (_, err) = expect(0, &["import", arg(&path), "--model", "lenet5", "--out", arg(&run)]);
    assert!(err.contains("its state_dict_ema was taken, an average of weights, not state_dict"), "{err}");
    let saved = chiaro::train::Saved::load(&run).expect("a run");
    assert!(saved.weights().tensors().values().all(|t| t.as_f32().is_some_and(|v| v.iter().all(|x| *x == 0.5))));
}

#[test]
fn the_model_that_weights_are_of_is_found_and_told_where_another_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let [path, run, other] = ["w.pth", "run", "keras.h5"].map(|name| folder.path().join(name));
    write(&path, &dict([("state_dict", Value::Dict(weights("module.", 1.0)))]));
    let (_, err) = expect(0, &["import", arg(&path), "--out", arg(&run)]);
    assert!(err.contains("the weights are of lenet5"), "{err}");
    expect_error(2, &["import", arg(&path), "--model", "mlp"], &["does not fit mlp", "it fits lenet5"]);
    write(&path, &dict([("w", pair(1.0))]));
    expect_error(2, &["import", arg(&path)], &["of none of `chiaro models`: w [2]"]);
    std::fs::write(&other, b"\x89HDF\r\n\x1a\n").expect("written");
    expect_error(1, &["import", arg(&other)], &["HDF5", "tf2onnx.convert --keras"]);
}

#[test]
fn what_is_not_read_is_an_error_only_where_the_model_needs_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let [path, run] = ["w.pth", "run"].map(|name| folder.path().join(name));
    let mut all = weights("", 1.0);
    all.push(("args".to_string(), Value::Call("argparse", "Namespace")));
    write(&path, &Value::Dict(all.clone()));
    let (_, err) = expect(0, &["import", arg(&path), "--model", "lenet5", "--out", arg(&run)]);
    assert!(err.contains("not read: args depends on argparse.Namespace"), "{err}");
    let name = all[0].0.clone();
    all[0].1 = Value::Call("posix", "system");
    write(&path, &Value::Dict(all));
    let needed = format!("not read: args depends on argparse.Namespace, {name} depends on posix.system");
    expect_error(2, &["import", arg(&path), "--model", "lenet5"], &["missing", &name, &needed]);
}

#[test]
fn weights_of_others_are_not_called_damaged_but_to_be_imported() {
    let folder = tempfile::tempdir().expect("a folder");
    let [pickled, other, picture] = ["w.pth", "w.safetensors", "p.png"].map(|name| folder.path().join(name));
    write(&pickled, &dict([("w", pair(1.0))]));
    let header = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    std::fs::write(&other, [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat()).expect("written");
    common::image_file(&picture, 0, 0);
    for (path, part) in [(&pickled, "is a file of PyTorch's"), (&other, "holds weights of another program")] {
        for command in ["predict", "eval"] {
            let more: &[&str] = if command == "predict" { &[arg(&picture)] } else { &[] };
            let args = [&[command, arg(path)], more].concat();
            expect_error(1, &args, &[part, "chiaro import FILE --model NAME"]);
        }
    }
}

#[test]
fn options_of_onnx_files_are_refused_where_weights_alone_are_written() {
    for option in ["--raw", "--fp16", "--no-fold", "--opset=17", "--images=x.png"] {
        expect_error(2, &["export", "run", "--layout", "torch", option], &["--layout", "cannot be used with"]);
    }
}
