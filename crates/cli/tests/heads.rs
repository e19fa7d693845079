//! New heads on weights to begin with, and parts of networks from files.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{arg, expect, expect_error, idx_data};

/// The CNTK network of the ONNX model zoo (MIT): 28x28 digits.
fn digits() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../onnx/tests/data/models/mnist-cntk/model.onnx")
}

/// The tensors of a file of weights, as bytes.
fn tensors(file: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(file).expect("weights");
    let all = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    all.iter().map(|(name, view)| (name.to_string(), view.data().to_vec())).collect()
}

/// What a run of one epoch tells of the weights that it begins with.
fn begun(data: &Path, run: &Path, options: &[&str]) -> String {
    let args = ["train", arg(data), "--device", "cpu", "--epochs", "1", "--size", "28", "--out", arg(run)];
    let (_, err) = expect(0, &[&args[..], options].concat());
    err
}

#[test]
fn a_new_head_is_drawn_where_the_number_of_classes_is_the_same_too() {
    let root = tempfile::tempdir().expect("a folder");
    let path = |name: &str| root.path().join(name);
    let (data, first) = (path("data"), path("first"));
    idx_data(&data);
    begun(&data, &first, &["--model", "lenet5"]);
    let file = path("first.onnx");
    expect(0, &["export", arg(&first), "--out", arg(&file), "--device", "cpu"]);
    for (number, from) in
        [["--model", arg(&file)], ["--model", arg(&first)], ["--init", arg(&first)]].iter().enumerate()
    {
        let mut options = from.to_vec();
        options.extend((from[0] == "--init").then_some(["--model", "lenet5"]).into_iter().flatten());
        let kept = begun(&data, &path(&format!("kept{number}")), &options);
        assert!(kept.contains("begun with") && !kept.contains("anew begin"), "{kept}");
        options.push("--new-head");
        let new = begun(&data, &path(&format!("new{number}")), &options);
        // Its weight and its bias, of the three classes of the data.
        assert!(new.contains("anew begin") && new.matches(" --new-head)").count() == 2, "{new}");
        assert!(
            new.contains("[3, 84] there, [3, 84] --new-head") && new.contains("[3] there, [3] --new-head"),
            "{new}"
        );
    }
}

#[test]
fn a_part_of_a_network_from_a_file_is_what_one_node_takes() {
    let root = tempfile::tempdir().expect("a folder");
    let path = |name: &str| root.path().join(name);
    let data = path("data");
    idx_data(&data);
    let (model, run, imported) = (digits(), path("run"), path("imported"));
    // Of its convolutions, bias and weight are named by what has no name in common: the nodes tell the parts.
    let args = ["train", arg(&data), "--model", arg(&model), "--device", "cpu", "--freeze", "nonesuch"];
    expect_error(2, &args, &["its parts are Convolution28, Convolution110, Parameter193_reshape1"]);
    let whole = ["import", arg(&model), "--out", arg(&imported)];
    expect(0, &whole);
    let before = tensors(&imported.join("weights/best.safetensors"));
    for freeze in ["1", "Convolution28"] {
        let _ = std::fs::remove_dir_all(&run);
        let (out, _) = {
            let args = ["train", arg(&data), "--device", "cpu", "--epochs", "1", "--out", arg(&run)];
            expect(0, &[&args[..], &["--model", arg(&model), "--freeze", freeze]].concat())
        };
        assert!(out.contains("frozen"), "{out}");
        let after = tensors(&run.join("weights/last.safetensors"));
        let still: Vec<&str> =
            before.iter().filter(|(name, bytes)| after.get(*name) == Some(bytes)).map(|(name, _)| &**name).collect();
        assert_eq!(still, ["23", "Parameter5"], "--freeze {freeze}");
    }
}
