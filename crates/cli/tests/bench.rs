//! End to end: what `chiaro bench` measures and writes, and traces of a step.

mod common;

use std::fs;
use std::path::Path;

use common::{arg, expect, idx_data, software_adapter};
use serde_json::Value;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("written")).expect("JSON")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_row_has_figures_and_the_file_has_the_same() {
    let root = tempfile::tempdir().expect("a folder");
    let file = root.path().join("bench.json");
    let args = ["bench", "--device", "cpu", "--filter", "matmul 256", "--seconds", "0", "--json", arg(&file)];
    let (out, _) = expect(0, &args);
    assert!(out.lines().any(|line| line.starts_with("matmul 256 ")), "{out}");
    assert!(out.contains("roofline: ") && out.lines().all(|line| line.chars().count() <= 120), "{out}");
    let report = json(&file);
    let row = &report["rows"][0];
    assert_eq!(row["name"], "matmul 256");
    assert_eq!(
        (&row["flop"], &row["moved_bytes"]),
        (&Value::from(2 * 256 * 256 * 256), &Value::from(3 * 256 * 256 * 4))
    );
    assert_eq!((&row["dispatches"], &row["submissions"]), (&Value::from(1), &Value::from(1)));
    let peaks = &report["peaks"];
    let flop_seconds = number(&row["flop"]) / number(&peaks["gflop_per_second"]) / 1e9;
    let byte_seconds = number(&row["moved_bytes"]) / number(&peaks["copy_gb_per_second"]) / 1e9;
    let bound = number(&row["bound_seconds"]);
    assert!((bound / flop_seconds.max(byte_seconds) - 1.0).abs() < 1e-9, "{report}");
    let percent = 100.0 * bound / number(&row["seconds"]);
    assert!((number(&row["roofline_percent"]) / percent - 1.0).abs() < 1e-9, "{report}");
}

#[test]
fn a_step_has_images_a_second() {
    let root = tempfile::tempdir().expect("a folder");
    let file = root.path().join("bench.json");
    let args = ["bench", "--device", "cpu", "--filter", "step lenet5", "--seconds", "0", "--json", arg(&file)];
    let (out, _) = expect(0, &args);
    assert!(out.contains("images/s") && out.lines().all(|line| line.chars().count() <= 120), "{out}");
    let report = json(&file);
    let row = &report["rows"][0];
    let images = number(&row["images_per_second"]) * number(&row["seconds"]);
    assert!((images - 128.0).abs() < 1e-6, "{report}");
}

#[test]
fn rows_that_would_take_too_long_or_need_f16_are_left_out_with_the_reason() {
    let root = tempfile::tempdir().expect("a folder");
    let file = root.path().join("bench.json");
    let args = ["bench", "--device", "cpu", "--filter", "matmul 4096", "--limit", "0.0001", "--json", arg(&file)];
    let (out, _) = expect(1, &args);
    assert!(out.contains("--limit is 100.0 µs"), "{out}");
    let report = json(&file);
    let reasons = report["left_out"].as_array().expect("a list").iter().map(|row| &row["reason"]);
    let reasons: Vec<&str> = reasons.map(|reason| reason.as_str().expect("a text")).collect();
    assert!(reasons[0].contains("--limit") && reasons[1].contains("f16"), "{reasons:?}");
}

#[test]
fn the_list_has_every_row_with_its_work_and_runs_nothing() {
    let (out, _) = expect(0, &["bench", "--list", "--filter", "conv resnet18 32x32 3-64"]);
    let rows: Vec<&str> = out.lines().skip(1).collect();
    assert_eq!(rows.len(), 3, "{out}");
    assert!(rows.iter().all(|row| row.contains("f32") && row.contains("0.113")), "{out}");
}

/// Checks a trace: events of the device in order, each with its work, inside the time of the host's.
fn check_trace(trace: &Value, clock: &str) {
    assert_eq!(trace["otherData"]["clock"], clock);
    let events = trace["traceEvents"].as_array().expect("a list");
    let track =
        |tid: u64| -> Vec<&Value> { events.iter().filter(|event| event["ph"] == "X" && event["tid"] == tid).collect() };
    let (host, device) = (track(1), track(2));
    assert!(host.len() >= 2 && device.len() > 10, "{trace}");
    let begin = |event: &Value| number(&event["ts"]);
    let end = |event: &Value| number(&event["ts"]) + number(&event["dur"]);
    // Microseconds, of which the file keeps all digits.
    const ROUNDING: f64 = 1e-3;
    for track in [&host, &device] {
        for pair in track.windows(2) {
            assert!(end(pair[0]) <= begin(pair[1]) + ROUNDING, "{} {}", pair[0], pair[1]);
        }
    }
    assert!(
        begin(device[0]) >= begin(host[0]) && end(device[device.len() - 1]) <= end(host[host.len() - 1]) + ROUNDING
    );
    for event in &device {
        for key in ["kernel", "shape", "bytes", "GFLOP", "GFLOP/s", "GB/s"] {
            assert!(!event["args"][key].is_null(), "{key} of {event}");
        }
        assert!(number(&event["args"]["bytes"]) > 0.0 && number(&event["dur"]) >= 0.0, "{event}");
    }
    assert!(device.iter().any(|event| event["cat"] == "Conv2dWeightGrad" && number(&event["args"]["GFLOP"]) > 0.0));
}

fn bench_trace(device: &str, clock: &str) {
    let root = tempfile::tempdir().expect("a folder");
    let file = root.path().join("trace.json");
    let args = ["bench", "--device", device, "--filter", "step lenet5", "--profile", arg(&file)];
    let (out, _) = expect(0, &args);
    assert!(out.contains("longest calls") && out.lines().any(|line| line.starts_with("Conv2dWeightGrad ")), "{out}");
    assert!(out.lines().all(|line| line.starts_with("trace: ") || line.chars().count() <= 120), "{out}");
    check_trace(&json(&file), clock);
}

#[test]
fn a_trace_of_a_step_on_the_cpu() {
    bench_trace("cpu", "the host clock");
}

#[test]
fn a_trace_of_a_step_on_the_gpu() {
    if software_adapter() {
        bench_trace("gpu:software", "GPU timestamps");
    }
}

#[test]
fn a_training_run_with_a_trace_trains_as_one_without() {
    let root = tempfile::tempdir().expect("a folder");
    let (data, trace) = (root.path().join("data"), root.path().join("trace.json"));
    idx_data(&data);
    let losses = |run: &str, more: &[&str]| {
        let run = root.path().join(run);
        let args = ["train", "--device", "cpu", "--data", arg(&data), "--epochs", "2", "--batch-size", "8"];
        let (out, _) = expect(0, &[&args[..], &["--out", arg(&run)], more].concat());
        let table = fs::read_to_string(run.join("metrics.csv")).expect("a table");
        let losses: Vec<String> = table.lines().map(|row| row.split(',').take(6).collect()).collect();
        (losses, out)
    };
    let (plain, _) = losses("plain", &[]);
    let (traced, out) = losses("traced", &["--profile", arg(&trace)]);
    assert_eq!(plain, traced);
    assert!(out.contains("a step of small-cnn with batches of 8: "), "{out}");
    check_trace(&json(&trace), "the host clock");
}
