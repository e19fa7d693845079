//! A dry run of `benches/gpu` on software Vulkan: the steps that a GPU machine would run, at tiny sizes.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{arg, software_adapter, write_idx};

const CALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/gpu/call.sh");

/// Runs call.sh in its place.
fn call(out: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let mut command = Command::new("bash");
    command.arg(CALL).args(arguments).envs(environment.iter().copied());
    command.env("OUT", out).env("CHIARO", env!("CARGO_BIN_EXE_chiaro")).env("CHIARO_DEVICE", "gpu:software");
    let output = command.output().expect("bash runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn the_first_call_takes_less_than_eight_minutes_by_its_own_limits() {
    let out = tempfile::tempdir().expect("a folder");
    let (code, text) = call(out.path(), &["limits"], &[]);
    let sum = text.lines().find_map(|line| line.strip_prefix("first ")).expect("a sum");
    assert!(code == 0 && sum.parse::<u32>().expect("seconds") < 480, "{text}");
    let (code, text) = call(out.path(), &["no-such-step"], &[]);
    assert!(code == 2 && text.contains("known are devices verify"), "{text}");
}

#[test]
fn the_steps_find_their_rows_at_full_size() {
    let out = tempfile::tempdir().expect("a folder");
    let steps = ["peaks", "steps", "products", "convolutions", "depthwise", "networks", "starts", "steps-tuned"];
    let all = [&steps[..], &["devices", "verify", "torch", "train", "tune"]].concat();
    let (code, text) = call(out.path(), &all, &[("LIST", "1")]);
    assert_eq!(code, 0, "{text}");
    assert!(!out.path().join("results.tgz").exists() && !text.contains("(at most"), "something ran: {text}");
    let rows = |step: &str| {
        let (_, after) = text.split_once(&format!("== {step}\n")).expect("the step");
        after.split("== ").next().unwrap_or_default().lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let counts = steps.map(|step| rows(step).len());
    assert_eq!(counts, [9, 2, 10, 66, 2, 4, 2, 2], "{text}");
    assert!(rows("networks").iter().any(|row| row.starts_with("step resnet50-224 batch 32 f16")), "{text}");
}

#[test]
fn all_steps_run_at_tiny_sizes_and_leave_their_results_in_one_archive() {
    if !software_adapter() {
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    write_idx(&data, [48, 18], |i| i % 3);
    let steps = [
        "devices",
        "verify",
        "peaks",
        "steps",
        "torch",
        "products",
        "convolutions",
        "depthwise",
        "networks",
        "starts",
        "train",
    ];
    let all = [&steps[..], &["tune", "steps-tuned"]].concat();
    let (code, text) = call(root.path(), &all, &[("SMALL", "1"), ("MNIST", arg(&data))]);
    assert_eq!(code, 0, "{text}");
    // Another call adds to what is there.
    let (code, text) = call(root.path(), &["devices", "tune"], &[("SMALL", "1")]);
    assert_eq!(code, 0, "{text}");
    let unpacked = root.path().join("unpacked");
    fs::create_dir(&unpacked).expect("made");
    let tar = Command::new("tar").arg("xzf").arg(root.path().join("results.tgz")).arg("-C").arg(&unpacked).status();
    assert!(tar.expect("tar runs").success(), "{text}");
    let told = fs::read_to_string(unpacked.join("ran.txt")).expect("the steps are told");
    for step in all.iter().filter(|step| **step != "torch") {
        assert!(told.lines().any(|line| line.starts_with(&format!("{step} 0 "))), "{step}: {told}\n{text}");
        assert!(unpacked.join(format!("{step}.txt")).exists(), "{step}");
    }
    assert_eq!(told.lines().filter(|line| line.starts_with("devices ")).count(), 1, "{told}");
    // What was tuned came home, as a table and as the device's own file, and was not searched for again.
    let read = |name: &str| fs::read_to_string(unpacked.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let table: serde_json::Value = serde_json::from_str(&read("choices.json")).expect("JSON");
    let choices = table["choices"].as_object().expect("choices");
    assert!(!choices.is_empty() && table["device"]["class"] == "Software", "{table}");
    let told = read("tune.txt");
    let searched = told.lines().find_map(|line| line.trim().split_once(" kernels searched")?.0.parse::<usize>().ok());
    // The first search may have been cut short by its two seconds.
    assert!(searched.is_some_and(|searched| searched < choices.len()), "{told}");
    let torch = fs::read_to_string(unpacked.join("torch.txt")).expect("PyTorch is told about");
    assert!(torch.contains("PyTorch is not here") || torch.contains("\"peer\": \"pytorch\""), "{torch}");
    for step in ["peaks", "steps", "products", "convolutions", "networks", "starts", "steps-tuned"] {
        let report = fs::read(unpacked.join(format!("{step}.json"))).expect("figures");
        let report: serde_json::Value = serde_json::from_slice(&report).expect("JSON");
        assert!(report["failed"].as_array().is_some_and(Vec::is_empty), "{step}: {report}");
    }
}
