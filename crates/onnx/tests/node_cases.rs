//! ONNX' own cases on the CPU and on software Vulkan; what passes is counted an op, what fails is named with its reason.

mod support;

use std::collections::BTreeMap;

use chiaro_cpu::Cpu;
use chiaro_gpu::{BackendOptions, Gpu, GpuBackend, GpuError, OpenOptions};
use chiaro_graph::Backend;
use support::{Case, cases, judge};

/// Cases that fail, and why; everything else must pass.
const FAILING: &[(&str, &str)] = &[
    ("test_adam_multiple", "its expectation is of epsilon 1e-2, which the model does not name"),
    ("test_convtranspose_3d", "convolutions over three axes are not supported"),
    ("test_gru_batchwise", "layout 1 is not supported"),
    ("test_lstm_batchwise", "layout 1 is not supported"),
    ("test_simple_rnn_batchwise", "layout 1 is not supported"),
    ("test_not_2d", "of version 1"),
    ("test_not_3d", "of version 1"),
    ("test_not_4d", "of version 1"),
    ("test_training_dropout", "draws numpy's random numbers"),
    ("test_training_dropout_default", "draws numpy's random numbers"),
    ("test_training_dropout_default_mask", "draws numpy's random numbers"),
    ("test_training_dropout_mask", "draws numpy's random numbers"),
];

/// Prints what passes, and fails where the failures are not those that are known.
fn all(backend: &mut dyn Backend) {
    let mut table: BTreeMap<(String, String), [usize; 2]> = BTreeMap::new();
    let mut failed = vec![];
    let all = cases();
    for case in &all {
        let op = op_of(case);
        let row = table.entry((case.group.clone(), op)).or_default();
        row[1] += 1;
        match judge(case, backend) {
            None => row[0] += 1,
            Some(why) => failed.push((case, why)),
        }
    }
    let mut totals: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for ((group, op), [passed, of]) in &table {
        println!("{group:20} {op:28} {passed:3} of {of:3}");
        let total = totals.entry(group).or_default();
        (total[0], total[1]) = (total[0] + passed, total[1] + of);
    }
    for (group, [passed, of]) in &totals {
        println!("{group}: {passed} of {of} pass on {}", backend.name());
    }
    for (case, why) in &failed {
        println!("failed: {}/{}: {why}", case.group, case.name);
    }
    let names: Vec<&str> = failed.iter().map(|(case, _)| case.name.as_str()).collect();
    let known: Vec<&str> = FAILING.iter().map(|(name, _)| *name).collect();
    let new: Vec<&&str> = names.iter().filter(|name| !known.contains(name)).collect();
    let mended: Vec<&&str> = known.iter().filter(|name| !names.contains(name)).collect();
    assert!(new.is_empty() && mended.is_empty(), "fail though they should not: {new:?}; pass by now: {mended:?}");
}

fn op_of(case: &Case) -> String {
    if case.group == "pytorch-converted" {
        return String::new();
    }
    use prost::Message;
    let model = chiaro_onnx::proto::ModelProto::decode(&case.model[..]).expect("a model");
    model.graph.expect("a graph").node[0].op_type().to_string()
}

#[test]
fn the_cases_of_onnx_pass_on_the_cpu() {
    all(&mut Cpu::new(Some(2)).expect("a CPU"));
}

#[test]
fn the_cases_of_onnx_pass_on_a_gpu() {
    let wanted = std::env::var("CHIARO_TEST_DEVICE").unwrap_or_else(|_| "gpu:software".into());
    match Gpu::open(&wanted.parse().expect("a device name"), OpenOptions::default()) {
        Ok(gpu) => all(&mut GpuBackend::new(gpu, BackendOptions::default())),
        Err(error @ GpuError::NoAdapter { .. }) => {
            let required = std::env::var("CHIARO_REQUIRE_GPU").is_ok_and(|value| value == "1");
            assert!(!required, "CHIARO_REQUIRE_GPU=1, but {error}");
            println!("skipped: {error}");
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_corrupted_expectation_fails() {
    let mut backend = Cpu::new(Some(1)).expect("a CPU");
    for name in ["test_add", "test_argmax_default_axis_example", "test_conv_with_strides_padding"] {
        let all = cases();
        let case = all.into_iter().find(|case| case.name == name).expect("a case");
        assert_eq!(judge(&case, &mut backend), None);
        let mut corrupted = case;
        let last = corrupted.outputs[0].last_mut().expect("bytes");
        *last ^= 0x41;
        assert!(judge(&corrupted, &mut backend).is_some(), "{name}");
    }
}
