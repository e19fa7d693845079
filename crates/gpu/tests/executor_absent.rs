//! Without an adapter the GPU tests say why they do nothing, and fail where a GPU is required.

mod support;

use std::process::Command;

/// Not a test of its own: what the other one runs where no driver is found.
#[test]
fn a_device_is_opened_if_there_is_one() {
    if let Some(gpu) = support::open(Default::default()) {
        assert!(!gpu.summary().name.is_empty());
    }
}

fn without_drivers(required: &str) -> (bool, String) {
    let program = std::env::current_exe().expect("a test program has a path");
    let output = Command::new(program)
        .args(["--exact", "a_device_is_opened_if_there_is_one", "--nocapture"])
        .env("VK_DRIVER_FILES", "/nonexistent.json")
        .env("VK_ICD_FILENAMES", "/nonexistent.json")
        .env("WGPU_BACKEND", "vulkan")
        .env("CHIARO_REQUIRE_GPU", required)
        .output()
        .expect("the program runs");
    let text = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned()).concat();
    (output.status.success(), text)
}

#[test]
fn a_missing_adapter_is_explained_and_refused_where_one_is_required() {
    let (passed, text) = without_drivers("0");
    assert!(passed && text.contains("skipped: no GPU to use"), "{text}");
    let (passed, text) = without_drivers("1");
    assert!(!passed && text.contains("CHIARO_REQUIRE_GPU=1"), "{text}");
}
