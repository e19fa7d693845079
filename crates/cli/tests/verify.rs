//! End to end: the check of devices, and the proof that it can fail.

mod common;

use std::fs;

use common::{arg, expect};

#[test]
fn the_cpu_agrees_and_a_corrupted_output_does_not() {
    let root = tempfile::tempdir().expect("a folder");
    let json = root.path().join("report.json");
    let args = ["verify", "--device", "cpu", "--filter", "matmul", "--json", arg(&json)];
    let (out, _) = expect(0, &args);
    assert!(out.contains("everything agrees"), "{out}");
    let report = || -> serde_json::Value { serde_json::from_slice(&fs::read(&json).expect("written")).expect("JSON") };
    assert_eq!(report()["passed"], true);
    let cases = report()["reports"][0]["cases"].as_array().expect("cases").len();
    assert!(cases > 1);
    let (out, _) = expect(1, &[&args[..], &["--corrupt", "1"]].concat());
    assert_eq!(out.lines().filter(|line| line.contains("FAIL")).count(), 1, "{out}");
    assert_eq!(report()["passed"], false);
    let failed =
        report()["reports"][0]["cases"].as_array().expect("cases").iter().position(|c| !c["failure"].is_null());
    assert_eq!(failed, Some(1));
}

#[test]
fn a_whole_model_agrees_forward_and_backward() {
    let (out, _) = expect(0, &["verify", "--device", "cpu", "--filter", "whole model", "--model", "lenet5"]);
    let row = out.lines().find(|line| line.starts_with("whole model/lenet5")).expect("a row");
    let fields: Vec<&str> = row.split_whitespace().collect();
    assert!(fields.ends_with(&["pass"]), "{row}");
    let gradient: f64 = fields[fields.len() - 2].parse().expect("a number");
    assert!(gradient < 1e-3, "{row}");
}

#[test]
fn a_filter_that_matches_nothing_is_no_success() {
    common::expect_error(2, &["verify", "--device", "cpu", "--filter", "no such case"], &["no such case"]);
}

#[test]
fn random_graphs_agree_and_are_counted() {
    let (out, _) = expect(0, &["verify", "--fuzz", "20", "--seed", "1000000", "--device", "cpu"]);
    assert!(out.starts_with("20 graphs"), "{out}");
    assert!(out.contains("CPU fused") && out.contains("CPU plain") && out.trim_end().ends_with("0 failures"), "{out}");
    common::expect_error(2, &["verify", "--fuzz", "0"], &["0"]);
    let last = u64::MAX.to_string();
    common::expect_error(2, &["verify", "--fuzz", "5", "--seed", &last], &["no 5 seeds follow"]);
}

#[test]
fn the_first_line_comes_before_any_device_and_a_corrupted_whole_model_is_found() {
    let args = ["verify", "--device", "cpu", "--filter", "whole model"];
    let (out, err) = expect(0, &args);
    assert!(err.starts_with("verifying: "), "{err}");
    assert!(out.contains("1 of 1 cases passed"), "{out}");
    // There is no case before it.
    let (out, _) = expect(1, &[&args[..], &["--corrupt", "0"]].concat());
    assert!(out.contains("the logits are wrong"), "{out}");
}

#[test]
fn what_the_time_did_not_suffice_for_is_told() {
    let (out, _) = expect(1, &["verify", "--device", "cpu", "--filter", "matmul", "--seconds", "0"]);
    assert!(out.contains("left out: ") && out.contains("the time was up"), "{out}");
    assert!(out.contains("nothing was checked on ") && !out.contains("failures"), "{out}");
    common::expect_error(2, &["verify", "--seconds", "NaN"], &["--seconds must be"]);
}

#[test]
fn functions_are_measured_beside_the_bounds_of_wgsl_and_a_wrong_one_is_found() {
    let (out, _) = expect(0, &["verify", "--ulp", "--device", "cpu"]);
    for function in ["exp", "log", "tanh", "sigmoid", "rsqrt", "x / y", "sin", "cos"] {
        assert!(out.lines().any(|line| line.starts_with(function) && !line.contains("FAIL")), "{function}: {out}");
    }
    for corrupt in 0..8 {
        let (out, _) = expect(1, &["verify", "--ulp", "--device", "cpu", "--corrupt", &corrupt.to_string()]);
        assert_eq!(out.lines().filter(|line| line.contains("FAIL")).count(), 1, "{out}");
    }
}

#[test]
fn gradients_of_subsets_of_inputs_agree_too_and_go_with_cases_alone() {
    let args = ["verify", "--device", "cpu", "--filter", "layer_norm", "--subsets"];
    let (out, _) = expect(0, &args);
    assert!(out.contains("everything agrees"), "{out}");
    let (out, _) = expect(1, &[&args[..], &["--corrupt", "0"]].concat());
    assert_eq!(out.lines().filter(|line| line.contains("FAIL")).count(), 1, "{out}");
    common::expect_error(2, &["verify", "--fuzz", "5", "--subsets"], &["--subsets"]);
}
