//! End to end: `--dump-kernels` writes what would be compiled, and runs nothing.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use common::{arg, expect, expect_error, idx_data, names, program, software_adapter};
use serde_json::Value;

const SPIRV_MAGIC: [u8; 4] = 0x0723_0203u32.to_le_bytes();

/// Checks a plan's folder; gives its list of kernels.
fn check(folder: &Path) -> Vec<Value> {
    let text = fs::read(folder.join("kernels.json")).expect("the list is written");
    let list: Value = serde_json::from_slice(&text).expect("JSON");
    assert!(list["adapter"]["name"].is_string(), "{list}");
    let kernels = list["kernels"].as_array().expect("a list").clone();
    let mut files = BTreeSet::from(["kernels.json".to_owned()]);
    let members = kernels.iter().flat_map(|kernel| kernel["members"].as_array().expect("a list"));
    for kernel in kernels.iter().chain(members) {
        let file = kernel["file"].as_str().expect("a name");
        let wgsl = fs::read_to_string(folder.join(format!("{file}.wgsl"))).expect("WGSL is written");
        assert!(wgsl.contains("@compute"), "{file}: {wgsl}");
        let spirv = folder.join(format!("{file}.spv"));
        assert!(fs::read(&spirv).expect("SPIR-V is written").starts_with(&SPIRV_MAGIC), "{file}");
        if let Ok(told) = Command::new("spirv-val").args(["--target-env", "vulkan1.1"]).arg(&spirv).output() {
            assert!(told.status.success(), "{file}: {}", String::from_utf8_lossy(&told.stderr));
        }
        files.extend([format!("{file}.wgsl"), format!("{file}.spv")]);
    }
    let found = fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").file_name());
    let found: BTreeSet<String> = found.map(|name| name.to_string_lossy().into_owned()).collect();
    assert_eq!(found, files);
    kernels
}

#[test]
fn the_kernels_of_a_row_are_those_that_it_dispatches() {
    if !software_adapter() {
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    let (dump, json) = (root.path().join("dump"), root.path().join("bench.json"));
    let row = ["bench", "--device", "gpu:software", "--filter", "step lenet5"];
    expect(0, &[&row[..], &["--dump-kernels", arg(&dump)]].concat());
    let kernels = check(&dump.join("step-lenet5-batch-128"));
    assert!(kernels.iter().any(|k| k["tile"].as_str().is_some_and(|t| t.starts_with("direct ")) && k["flop"] != 0));
    expect(0, &[&row[..], &["--seconds", "0", "--json", arg(&json)]].concat());
    let report: Value = serde_json::from_slice(&fs::read(&json).expect("written")).expect("JSON");
    assert_eq!(report["rows"][0]["dispatches"], kernels.len());
    // Switches hold for what is written too.
    let plain = root.path().join("plain");
    expect(0, &[&row[..], &["--without", "all", "--dump-kernels", arg(&plain)]].concat());
    assert!(check(&plain.join("step-lenet5-batch-128")).len() > kernels.len());
}

#[test]
fn the_kernels_of_a_training_run_are_written_and_no_run_is_made() {
    if !software_adapter() {
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    let [data, dump] = ["data", "dump"].map(|name| root.path().join(name));
    idx_data(&data);
    let args = ["train", "--data", arg(&data), "--device", "gpu:software", "--dump-kernels", arg(&dump)];
    let output = program().args(args).current_dir(root.path()).output().expect("runs");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && out.contains("nothing was run"), "{output:?}");
    let [train, eval] = ["train", "eval"].map(|plan| check(&dump.join(plan)).len());
    assert!(train > eval && eval > 3, "{train} and {eval} kernels");
    assert!(!root.path().join("runs").exists(), "no run folder");
    // A run in phases has a step for each.
    let phases = root.path().join("phases");
    let model = ["train", "--data", arg(&data), "--device", "gpu:software", "--model", "resnet20"];
    expect(0, &[&model[..], &["--progressive", "4:0.5", "--dump-kernels", arg(&phases)]].concat());
    assert_eq!(names(&phases), ["eval", "train", "train-2"]);
    let [first, second, eval] = ["train", "train-2", "eval"].map(|plan| check(&phases.join(plan)).len());
    assert!(first > 2 * eval && second > 2 * eval, "{first}, {second} and {eval} kernels");
}

#[test]
fn only_gpus_have_kernels_to_write() {
    let root = tempfile::tempdir().expect("a folder");
    let dump = root.path().join("dump");
    let args = ["bench", "--device", "cpu", "--filter", "matmul 256", "--dump-kernels", arg(&dump)];
    expect_error(2, &args, &["only GPUs", "cpu"]);
    assert!(!dump.exists());
}
