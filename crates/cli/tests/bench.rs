//! End to end: what `chiaro bench` measures and writes, and traces of a step.

mod common;

use std::fs;
use std::path::Path;

use common::{arg, expect, expect_error, idx_data, software_adapter};
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
fn without_a_roofline_there_is_no_share_of_it() {
    let root = tempfile::tempdir().expect("a folder");
    let file = root.path().join("bench.json");
    let args = ["bench", "--device", "cpu", "--filter", "matmul 256", "--seconds", "0", "--no-roofline", "--json"];
    let (out, _) = expect(0, &[&args[..], &[arg(&file)]].concat());
    let report = json(&file);
    assert!(!out.contains("roofline: ") && report["peaks"].is_null(), "{out} {report}");
    assert!(number(&report["rows"][0]["seconds"]) > 0.0 && report["rows"][0]["roofline_percent"].is_null(), "{report}");
}

#[test]
fn robust_access_is_a_switch_of_gpus_alone() {
    let row = ["--filter", "matmul 256", "--seconds", "0", "--no-roofline", "--robust"];
    let bench = |device| [&["bench", "--device", device][..], &row].concat();
    expect_error(2, &bench("cpu"), &["--robust", "about a GPU's kernels"]);
    if !software_adapter() {
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    let file = root.path().join("bench.json");
    expect(0, &[&bench("gpu:software")[..], &["--json", arg(&file)]].concat());
    assert!(json(&file).to_string().contains("\"robust\":true"), "{}", json(&file));
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
    let [small, large] = [false, true].map(|large| rows.iter().filter(|row| row.contains(" b128") == large).count());
    assert_eq!((small, large), (3, 6), "three directions; at batch 128 in f16 too: {out}");
    let work = |row: &str| if row.contains(" b128") { " 0.453 " } else { " 0.113 " };
    assert!(rows.iter().all(|row| row.contains(work(row))), "{out}");
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
        let losses = common::rows(&run);
        (losses, out)
    };
    let (plain, _) = losses("plain", &[]);
    let (traced, out) = losses("traced", &["--profile", arg(&trace)]);
    assert_eq!(plain, traced);
    assert!(out.contains("a step of small-cnn with batches of 8: "), "{out}");
    check_trace(&json(&trace), "the host clock");
}

/// The report of a row on the software GPU with these switches.
fn report(row: &str, more: &[&str]) -> (Value, String) {
    let root = tempfile::tempdir().expect("a folder");
    let (json_file, csv) = (root.path().join("bench.json"), root.path().join("bench.csv"));
    let args = ["bench", "--device", "gpu:software", "--filter", row, "--exact", "--seconds", "0", "--runs", "2"];
    let files = ["--json", arg(&json_file), "--csv", arg(&csv)];
    expect(0, &[&args[..], &files, more].concat());
    (json(&json_file), fs::read_to_string(&csv).expect("written"))
}

fn calls(report: &Value) -> &Vec<Value> {
    report["rows"][0]["calls"].as_array().expect("a list")
}

#[test]
fn the_report_has_every_dispatch_with_its_work_its_median_and_its_share_of_the_roofline() {
    if !software_adapter() {
        return;
    }
    let (report, csv) = report("step lenet5 batch 128", &["--limit", "60"]);
    let row = &report["rows"][0];
    let calls = calls(&report);
    assert_eq!(row["dispatches"], calls.len());
    let sum = |key: &str| calls.iter().map(|call| number(&call[key])).sum::<f64>();
    assert_eq!(sum("flop"), number(&row["flop"]), "every operation stands at one dispatch");
    for call in calls {
        assert!(number(&call["workgroups"]) >= 1.0 && number(&call["invocations"]) >= 1.0, "{call}");
        assert_eq!(call["runs"], 2);
        let (bound, median) = (number(&call["bound_seconds"]), number(&call["median_seconds"]));
        assert!((number(&call["roofline_percent"]) * median / (100.0 * bound) - 1.0).abs() < 1e-9, "{call}");
        let limits = ["arithmetic", "memory", "workgroup memory", "waves"];
        assert!(limits.contains(&call["model_limit"].as_str().expect("a text")), "{call}");
        assert_eq!(number(&call["flop"]) > 0.0, call["tile"].is_string(), "{call}");
    }
    let model = &row["model"];
    let gaps = number(&model["gap_seconds"]);
    assert!((sum("model_seconds") + gaps - number(&model["seconds"])).abs() <= 1e-9 * number(&model["seconds"]));
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 1 + calls.len());
    assert!(lines[1].starts_with("step lenet5 batch 128,f32,0,"), "{}", lines[1]);
}

#[test]
fn every_switch_changes_what_is_dispatched_as_it_says() {
    if !software_adapter() {
        return;
    }
    let row = "step resnet20 batch 64";
    let dump = |more: &[&str]| -> Vec<Value> {
        let root = tempfile::tempdir().expect("a folder");
        let file = root.path().join("model.json");
        let args = ["bench", "--model", "rtx 4090", "--filter", row, "--exact", "--json", arg(&file)];
        expect(0, &[&args[..], more].concat());
        calls(&json(&file)).clone()
    };
    let plain = dump(&[]);
    let count = |without: &str| dump(&["--without", without]).len();
    let [inline, columns, hoist, pointwise, all] = ["inline", "columns", "hoist", "pointwise", "all"].map(count);
    assert!(inline > plain.len(), "{inline} {}", plain.len());
    assert!(columns > plain.len() && hoist != plain.len(), "{columns} {hoist} {}", plain.len());
    assert!(pointwise > inline && all > pointwise, "{pointwise} {all}");
    assert_eq!(count("inline,columns,hoist,pointwise"), count("pointwise,hoist,columns,inline"));
    let forced = dump(&["--tile", "32x32x16/2x4"]);
    let tiles = |calls: &[Value]| -> Vec<String> {
        let mut tiles: Vec<String> = calls.iter().filter_map(|c| Some(c["tile"].as_str()?.to_owned())).collect();
        tiles.sort();
        tiles.dedup();
        tiles
    };
    assert!(tiles(&plain).len() > 1);
    // Where a tile needs more scratch than was planned, the suited one stays.
    assert!(tiles(&forced).contains(&"workgroup 32x32x16/2x4".to_owned()), "{:?}", tiles(&forced));
    let sums = |calls: &[Value]| {
        calls.iter().filter(|c| c["kernel"].as_str().is_some_and(|k| k.starts_with("Conv2dWeightGrad pass"))).count()
    };
    assert!(sums(&plain) > 0 && sums(&dump(&["--split", "1"])) == 0, "one part needs no sum of parts");
}

#[test]
fn kernels_of_another_tile_and_checked_ones_run_and_the_report_says_so() {
    if !software_adapter() {
        return;
    }
    let (report, _) = report("matmul 256", &["--tile", "direct 16x32x4/4x4", "--checked", "--split", "2"]);
    assert_eq!(calls(&report)[0]["tile"], "direct 16x32x4/4x4");
    let switches = &report["switches"];
    assert_eq!((&switches["checked"], &switches["split"]), (&Value::from(true), &Value::from(2)));
    let as_gpu = self::report("matmul 256", &["--as-gpu"]).0;
    assert!(calls(&as_gpu)[0]["tile"].as_str().is_some_and(|tile| tile.starts_with("workgroup ")), "{as_gpu}");
}

#[test]
fn wrong_switches_and_cards_are_told_with_what_there_is() {
    let bench = ["bench", "--filter", "matmul 256", "--device", "cpu"];
    expect_error(2, &[&bench[..], &["--checked"]].concat(), &["--checked", "a GPU's kernels"]);
    expect_error(2, &[&bench[..], &["--tile", "7x7"]].concat(), &["'7x7'", "workgroup 128x128x16/8x8"]);
    expect_error(2, &[&bench[..], &["--model", "voodoo"]].concat(), &["'voodoo'", "RTX 4090", "Apple M1"]);
}

#[test]
fn a_card_that_is_not_here_is_predicted_without_a_device() {
    let args = ["bench", "--model", "h100", "--filter", "step resnet18 batch 128", "--device", "no such device"];
    let (out, _) = expect(0, &args);
    assert!(out.contains("model of NVIDIA H100 80GB HBM3; nothing is run"), "{out}");
    assert!(out.contains(" 195 dispatches") && out.contains(" 144 dispatches"), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 120), "{out}");
    let (out, _) = expect(0, &["bench", "--model", "m1", "--filter", "matmul 1024", "--exact", "--calls"]);
    assert!(out.lines().any(|l| l.contains("MatMul ") && l.contains("workgroup ")), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 120), "{out}");
}

#[test]
fn peaks_and_starts_are_rows_too() {
    let (out, _) = expect(0, &["bench", "--list", "--filter", "start "]);
    assert!(out.contains("start step small-cnn batch 128"), "{out}");
    expect(1, &["bench", "--device", "cpu", "--filter", "empty dispatches"]);
    if !software_adapter() {
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    let file = root.path().join("bench.json");
    let peaks = ["bench", "--device", "gpu:software", "--json", arg(&file), "--filter"];
    for (filter, units) in [("peak workgroup loads", "GB/s"), ("empty dispatches", "µs a dispatch")] {
        let (out, _) = expect(0, &[&peaks[..], &[filter]].concat());
        let report = json(&file);
        let rows = report["device_peaks"].as_array().expect("a list");
        assert!(rows.len() == 2 && rows.iter().all(|r| r["unit"] == units && number(&r["value"]) > 0.0), "{out}");
    }
    let start = ["--exact", "--limit", "100"];
    expect(0, &[&peaks[..], &["start step small-cnn batch 128"], &start].concat());
    let report = json(&file);
    let row = &report["starts"][0];
    assert!(number(&row["first_seconds"]) > 0.0 && number(&row["cached_seconds"]) > 0.0, "{row}");
    assert!(number(&row["cached_files"]) >= 1.0, "compiled kernels are kept: {row}");
}
