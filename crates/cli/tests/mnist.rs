//! End to end: the command of the README. With no arguments but the device, the folder and a few epochs, MNIST is learnt to at least 99.0 %.

mod common;

use common::{arg, expect};

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes without optimisation: run it with --release")]
fn three_epochs_on_the_cpu_reach_99_percent_on_mnist() {
    let root = tempfile::tempdir().expect("a folder");
    let run = root.path().join("run");
    let (out, _) = expect(0, &["train", "--device", "cpu", "--epochs", "3", "--out", arg(&run)]);
    let config = common::record(&run);
    assert_eq!(config["settings"]["epochs"], 3);
    assert_eq!(config["data"]["train_images"], 60_000);
    assert_eq!(config["data"]["eval_images"], 10_000);
    let accuracies = common::column(&run, "metrics/accuracy_top1");
    assert_eq!(accuracies.len(), 3, "{accuracies:?}");
    assert!(accuracies.iter().any(|&accuracy| accuracy >= 0.99), "{out}");
}
