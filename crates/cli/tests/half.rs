//! End to end: training in 16 bits, going on with it, and using its weights.

mod common;

use std::fs;
use std::path::Path;

use common::{arg, expect, expect_error, idx_data, software_adapter, trained};

fn config(run: &Path) -> serde_json::Value {
    common::record(run)
}

/// The test accuracies of a run.
fn accuracies(run: &Path) -> Vec<f64> {
    common::column(run, "metrics/accuracy_top1")
}

fn train(data: &Path, run: &Path, more: &[&str], code: i32) -> String {
    let args = ["train", "--data", arg(data), "--out", arg(run), "--batch-size", "8", "--epochs", "2"];
    expect(code, &[&args[..], more].concat()).0
}

#[test]
fn a_run_in_16_bits_goes_on_as_if_never_interrupted() {
    let root = tempfile::tempdir().expect("a folder");
    let [data, whole, run] = ["data", "whole", "run"].map(|name| root.path().join(name));
    idx_data(&data);
    let half = ["--device", "cpu", "--precision", "f16"];
    let out = train(&data, &whole, &half, 0);
    assert!(out.contains("precision: f16"), "{out}");
    assert_eq!(config(&whole)["settings"]["precision"], "f16");
    train(&data, &run, &[&half[..], &["--interrupt-after", "9"]].concat(), 130);
    expect(0, &["train", "--resume", arg(&run)]);
    for file in ["weights/best.safetensors", "weights/last.safetensors"] {
        let read = |folder: &Path| fs::read(folder.join(file)).expect("read");
        assert!(read(&run) == read(&whole), "{file} differs after an interruption");
    }
    let (out, _) = expect(0, &["eval", arg(&run), "--device", "cpu"]);
    assert!(out.contains("loss "), "{out}");
}

#[test]
fn sixteen_bits_are_another_run_and_cannot_be_changed_on_the_way() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, wide) = trained(root.path());
    let half = root.path().join("half");
    train(&data, &half, &["--device", "cpu", "--precision", "f16"], 0);
    let read = |folder: &Path| fs::read(folder.join("weights/last.safetensors")).expect("read");
    assert!(read(&wide) != read(&half), "the precision makes no difference");
    assert_eq!(read(&wide).len(), read(&half).len(), "weights are saved in 32 bits");
    let args = ["train", "--resume", arg(&wide), "--precision", "f16", "--epochs", "3"];
    expect_error(2, &args, &["--precision", "cannot be changed"]);
}

#[test]
fn auto_means_32_bits_where_16_gain_nothing() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, wide) = trained(root.path());
    let mut devices = vec!["cpu"];
    if software_adapter() {
        devices.push("gpu:software");
    }
    for device in devices {
        let run = root.path().join(device.replace(':', "-"));
        train(&data, &run, &["--device", device, "--precision", "auto"], 0);
        assert_eq!(config(&run)["settings"]["precision"], "f32", "{device}");
        let read = |folder: &Path| fs::read(folder.join("weights/last.safetensors")).expect("read");
        assert!(device != "cpu" || read(&run) == read(&wide));
    }
}

#[test]
fn settings_of_before_precisions_are_those_of_32_bits() {
    let root = tempfile::tempdir().expect("a folder");
    let (_, run) = trained(root.path());
    let text = fs::read_to_string(run.join("args.toml")).expect("read");
    let old = text.replace("precision = \"f32\"\n", "");
    assert!(old != text, "it is written");
    fs::write(run.join("args.toml"), old).expect("written");
    expect(0, &["train", "--resume", arg(&run), "--epochs", "3"]);
    assert_eq!(config(&run)["settings"]["precision"], "f32");
}

#[test]
fn weights_of_16_bits_on_the_gpu_are_used_on_the_cpu() {
    if !software_adapter() {
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    let [data, gpu, cpu] = ["data", "gpu", "cpu"].map(|name| root.path().join(name));
    idx_data(&data);
    train(&data, &gpu, &["--device", "gpu:software", "--precision", "f16"], 0);
    train(&data, &cpu, &["--device", "cpu", "--precision", "f16"], 0);
    expect(0, &["eval", arg(&gpu), "--device", "cpu"]);
    // Six steps an epoch, each rounded to 16 bits in other places.
    for (a, b) in accuracies(&gpu).iter().zip(accuracies(&cpu)) {
        assert!((a - b).abs() <= 0.12, "{a} on the GPU, {b} on the CPU");
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes without optimisation: run it with --release")]
fn digits_are_learnt_in_16_bits_as_in_32() {
    let root = tempfile::tempdir().expect("a folder");
    let [wide, half] = ["f32", "f16"].map(|precision| {
        let run = root.path().join(precision);
        let args = ["train", "--device", "cpu", "--limit", "12000", "--epochs", "2", "--precision", precision];
        expect(0, &[&args[..], &["--out", arg(&run)]].concat());
        accuracies(&run).into_iter().fold(0.0, f64::max)
    });
    println!("32 bits {wide}, 16 bits {half}");
    assert!(half >= 0.97 && (half - wide).abs() <= 0.005, "32 bits {wide}, 16 bits {half}");
}
