//! End to end: the command of the README. With no arguments but the device, the folder and a few epochs, MNIST is learnt to at least 99.0 %.

mod common;

use common::{arg, expect};

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes without optimisation: run it with --release")]
fn three_epochs_on_the_cpu_reach_99_percent_on_mnist() {
    let root = tempfile::tempdir().expect("a folder");
    let run = root.path().join("run");
    let (out, _) = expect(0, &["train", "--device", "cpu", "--epochs", "3", "--out", arg(&run)]);
    let config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(run.join("config.json")).expect("read")).expect("JSON");
    assert_eq!(config["settings"]["epochs"], 3);
    assert_eq!(config["data"]["train_images"], 60_000);
    assert_eq!(config["data"]["eval_images"], 10_000);
    let table = std::fs::read_to_string(run.join("metrics.csv")).expect("a table");
    let accuracy = |line: &str| line.split(',').nth(5).and_then(|field| field.parse::<f64>().ok());
    let accuracies: Vec<f64> = table.lines().skip(1).filter_map(accuracy).collect();
    assert_eq!(accuracies.len(), 3, "{table}");
    assert!(accuracies.iter().any(|&accuracy| accuracy >= 0.99), "{out}");
}
