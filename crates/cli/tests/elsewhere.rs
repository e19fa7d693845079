//! Models from elsewhere and for elsewhere: an ONNX file predicts, trains with other classes, and comes out as it went in.

mod common;

use std::path::{Path, PathBuf};

use common::{arg, chiaro, expect, expect_error, idx_data, image_file};

/// The CNTK network of the ONNX model zoo (MIT): 28x28 digits.
fn digits() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../onnx/tests/data/models/mnist-cntk/model.onnx")
}

#[test]
fn an_onnx_file_predicts_trains_with_other_classes_and_goes_out_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, run, imported) = (folder.path().join("data"), folder.path().join("run"), folder.path().join("net"));
    idx_data(&data);
    let picture = folder.path().join("picture.png");
    image_file(&picture, 1, 3);
    let model = digits();

    let (out, _) = expect(0, &["summary", arg(&model)]);
    assert!(out.contains("Conv") && out.contains("Gemm") && out.contains("5,994"), "its weights are counted: {out}");
    let (out, _) = expect(0, &["verify", "--model", arg(&model), "--device", "cpu", "--filter", "whole model"]);
    assert!(out.contains("whole model/model-") && out.contains("1 of 1 cases passed"), "{out}");
    let (_, err) = expect(0, &["predict", arg(&model), arg(&picture), "--device", "cpu"]);
    assert!(err.contains("tells no mean and deviation") && err.contains("--mean M"), "{err}");
    let (out, _) = expect(0, &["import", arg(&model), "--out", arg(&imported), "--mean", "0", "--std", "0.0039215688"]);
    assert!(out.contains("10 classes"), "{out}");
    let (out, _) = expect(0, &["predict", arg(&imported), arg(&picture), "--device", "cpu"]);
    assert!(out.contains('%'), "{out}");

    // Its classes are numbers, those of the data names.
    let args = ["eval", arg(&model), "--data", arg(&data), "--device", "cpu"];
    expect_error(1, &args, &["chiaro import FILE --classes names.txt --out DIR"]);

    let training =
        ["train", arg(&data), "--model", arg(&imported), "--device", "cpu", "--epochs", "2", "--out", arg(&run)];
    let (out, err) = expect(0, &training);
    // What suits weights that were trained: the new head alone at first, at a low rate.
    assert!(out.contains("fine-tuning: frozen for 0.5 epochs: ") && out.contains("at a rate of up to 0.0003"), "{out}");
    // 10 classes there, 3 here: the last layer alone is new.
    assert!(err.contains("begun with") && err.contains("anew begin"), "{err}");
    expect(0, &["eval", arg(&run), "--device", "cpu"]);

    let file = folder.path().join("out.onnx");
    let (out, _) = expect(0, &["export", arg(&run), "--out", arg(&file), "--device", "cpu"]);
    assert!(out.contains("differs from the run by"), "{out}");
    let settings = run.join("args.toml");
    let before = std::fs::read(&settings).expect("settings");
    let replaced = ["export", arg(&run), "--out", arg(&settings), "--device", "cpu"];
    common::expect_error(2, &replaced, &["its name ends with .onnx"]);
    assert!(std::fs::read(&settings).expect("settings") == before);
    let here = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chiaro"));
        command.args(["export", arg(&run), "--device", "cpu"]).current_dir(folder.path()).output().expect("it starts")
    };
    let eight = folder.path().join("eight.onnx");
    let (out, _) = expect(0, &["export", arg(&run), "--int8", "--out", arg(&eight), "--device", "cpu"]);
    assert!(out.contains("products in 8 bits by ") && eight.is_file(), "{out}");
    let (first, second) = (here(), here());
    assert!(first.status.success(), "{first:?}");
    assert!(
        !second.status.success() && String::from_utf8_lossy(&second.stderr).contains("is there already"),
        "{second:?}"
    );
    // The file takes pixels, and says as the run does of a picture.
    let says = |from: &Path| {
        let (out, _) = expect(0, &["predict", arg(from), arg(&picture), "--device", "cpu"]);
        out.split(": ").nth(1).map(str::to_string)
    };
    assert_eq!(says(&run), says(&file));
}

#[test]
fn what_cannot_be_imported_says_why_and_leaves_no_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = folder.path().join("broken.onnx");
    std::fs::write(&broken, b"no model").expect("written");
    expect_error(1, &["import", arg(&broken), "--out", arg(&folder.path().join("x"))], &["broken.onnx"]);
    assert!(!folder.path().join("x").exists());
    expect_error(1, &["import", arg(&folder.path().join("w.pth"))], &["cannot read"]);
    let weights = folder.path().join("w.pth");
    std::fs::write(&weights, b"no weights").expect("written");
    expect_error(1, &["import", arg(&weights), "--model", "resnet20"], &["no file of PyTorch's"]);
    assert!(!chiaro(&["export", arg(folder.path())]).status.success());
}
