//! End to end on the software Vulkan adapter: training equals the CPU's, the check passes, and limits are told before they are hit.

mod common;

use std::path::Path;

use common::{arg, expect, expect_error, idx_data, software_adapter};

/// Training and test loss of each epoch.
fn losses(run: &Path) -> Vec<f64> {
    ["train/loss", "val/loss"].into_iter().flat_map(|name| common::column(run, name)).collect()
}

#[test]
fn a_run_on_the_gpu_has_the_losses_of_one_on_the_cpu() {
    if !software_adapter() {
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    idx_data(&data);
    let [cpu, gpu] = ["cpu", "gpu:software"].map(|device| {
        let run = root.path().join(device.replace(':', "-"));
        let args = ["train", "--data", arg(&data), "--epochs", "2", "--batch-size", "8", "--device", device];
        expect(0, &[&args[..], &["--out", arg(&run)]].concat());
        losses(&run)
    });
    assert_eq!(cpu.len(), 4);
    for (a, b) in gpu.iter().zip(&cpu) {
        assert!((a - b).abs() <= 1e-4 * b.abs(), "{gpu:?} {cpu:?}");
    }
}

#[test]
fn weights_of_a_gpu_run_are_used_on_the_cpu() {
    if !software_adapter() {
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = (root.path().join("data"), root.path().join("run"));
    idx_data(&data);
    let args = ["train", "--data", arg(&data), "--epochs", "1", "--batch-size", "8", "--device", "gpu:software"];
    expect(0, &[&args[..], &["--out", arg(&run)]].concat());
    let line = |device: &str| {
        let (out, _) = expect(0, &["eval", arg(&run), "--device", device]);
        out.lines().find(|line| line.starts_with("loss ")).expect("a line").to_string()
    };
    assert_eq!(line("cpu"), line("gpu:software"));
}

#[test]
fn a_batch_too_large_for_the_adapter_is_refused_with_one_that_fits() {
    if !software_adapter() {
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    let (data, run) = (root.path().join("data"), root.path().join("run"));
    idx_data(&data);
    // 48 images of 256x256 with 32 channels are 396 MB; software Vulkan binds at most 128 MiB.
    let args = ["train", "--data", arg(&data), "--size", "256", "--model", "tutorial-cnn", "--batch-size", "48"];
    let args = [&args[..], &["--device", "gpu:software", "--out", arg(&run)]].concat();
    expect_error(1, &args, &["bytes", "a batch of at most ", "now 48"]);
    assert!(!run.exists());
}

#[test]
fn the_gpu_passes_the_check_and_a_corrupted_output_of_it_does_not() {
    if !software_adapter() {
        return;
    }
    let args = ["verify", "--device", "gpu:software", "--filter", "matmul"];
    let (out, _) = expect(0, &args);
    assert_eq!(out.lines().filter(|line| line.ends_with(" cases passed")).count(), 2, "CPU and GPU: {out}");
    expect(1, &[&args[..], &["--corrupt", "0"]].concat());
}
