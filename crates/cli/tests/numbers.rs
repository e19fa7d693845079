//! End to end: numbers that no machine can honour, and machines that have no memory or threads left.

mod common;

use common::{arg, expect, expect_error, idx_data};

#[test]
fn numbers_too_large_are_refused_at_once() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, out) = (root.path().join("data"), root.path().join("run"));
    idx_data(&data);
    let train = ["train", "--device", "cpu", "--data", arg(&data), "--out", arg(&out)];
    for size in ["4611686018427387904", "1000000000000"] {
        let parts = ["48 images do not fill a batch of", size, "--batch-size 48"];
        expect_error(2, &[&train[..], &["--batch-size", size]].concat(), &parts);
    }
    expect_error(2, &[&train[..], &["--threads", "60000"]].concat(), &["--threads 60000", "at most"]);
    expect_error(2, &["bench", "--device", "cpu", "--filter", "matmul", "--threads", "60000"], &["--threads 60000"]);
    let (_, err) = expect(2, &["summary", "small-cnn", "--classes", "18446744073709551615"]);
    assert!(err.contains("--classes"), "{err}");
    let misfit = ["small-cnn does not fit images of 1x1 with 1 channel", "--size", "windows of 2x2, stride 2x2"];
    expect_error(1, &["summary", "small-cnn", "--size", "1"], &misfit);
    expect_error(1, &[&train[..], &["--size", "1"]].concat(), &misfit);
    assert!(!out.exists());
}

// Elsewhere nobody tells how much memory is free.
#[cfg(target_os = "linux")]
#[test]
fn a_step_that_the_memory_has_no_room_for_is_refused_before_it_is_made() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, out) = (root.path().join("data"), root.path().join("run"));
    idx_data(&data);
    let train = ["train", "--device", "cpu", "--data", arg(&data), "--out", arg(&out), "--resident", "off"];
    // Some hundred tensors of up to 6 GB.
    let deep = ["--model", "resnet110", "--size", "2048", "--batch-size", "24"];
    expect_error(2, &[&train[..], &deep].concat(), &["a training step of 24 images takes", "--batch-size auto"]);
    let wide = ["--model", "resnet18", "--size", "4096", "--batch-size", "48"];
    expect_error(2, &[&train[..], &wide].concat(), &["a training step of 48 images", "a batch of at most 7 (now 48)"]);
    assert!(!out.exists());
}

// Elsewhere a process cannot be given less memory than it would have.
#[cfg(target_os = "linux")]
#[test]
fn where_memory_ends_a_message_and_exit_code_1_tell_so() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, out) = (root.path().join("data"), root.path().join("run"));
    idx_data(&data);
    let train = |kilobytes: usize, size: &str| {
        let limited = format!("ulimit -v {kilobytes}; exec \"$@\"");
        std::process::Command::new("sh")
            .args(["-c", &limited, "sh", env!("CARGO_BIN_EXE_chiaro"), "train", "--model", "tutorial-cnn"])
            .args(["--size", size, "--device", "cpu", "--epochs", "1", "--batch-size", "48"])
            .args(["--data", arg(&data), "--out", arg(&out)])
            .output()
            .expect("a shell runs")
    };
    // A weight of 8 billion numbers.
    let large = train(4_000_000, "4096");
    let err = String::from_utf8_lossy(&large.stderr);
    assert!(large.status.code() == Some(1) && err.contains("no memory") && err.contains("million"), "{err}");
    let mut ended = 0;
    for kilobytes in [40_000, 80_000, 120_000, 160_000, 240_000] {
        let output = train(kilobytes, "64");
        let err = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => continue,
            Some(1) => ended += 1,
            other => panic!("{other:?} with {kilobytes} kB: {err}"),
        }
        assert!(err.contains("memory") || err.contains("start"), "{kilobytes} kB: {err}");
        assert!(!err.contains("panicked"), "{kilobytes} kB: {err}");
    }
    assert!(ended > 0, "some limit was too low");
}
