//! More workgroups than one dimension of a dispatch takes (65,535), of every family of kernels: the GPU reaches every element, as
//! the CPU does.

mod support;

use std::collections::BTreeMap;

use chiaro_check::large::large;
use chiaro_check::verify::verify_graph;
use chiaro_cpu::Cpu;
use chiaro_gpu::{BackendOptions, GpuBackend, KernelChoice, OpenOptions};

/// Runs the cases whose name ends so.
fn check(kernels: KernelChoice, ends: &[&str]) {
    let wanted = |name: &str| ends.iter().any(|end| name.ends_with(end));
    let cases: Vec<_> = large().into_iter().filter(|case| wanted(case.name)).collect();
    assert_eq!(cases.len(), ends.len(), "every name is one of the table");
    for case in cases {
        let Some(gpu) = support::open(OpenOptions::default()) else {
            return;
        };
        let mut backend = GpuBackend::new(gpu, BackendOptions { kernels, ..BackendOptions::default() });
        let mut cpu = Cpu::new(None).expect("threads");
        let (graph, inputs) = case.graph().expect("a graph");
        let mut compare = |corrupt| {
            let named = (case.name, &graph);
            verify_graph(&mut backend, &mut cpu, named, &inputs, &BTreeMap::new(), (case.limit, corrupt)).failure
        };
        assert_eq!(compare(false), None, "{}", case.name);
        assert!(compare(true).is_some(), "{}: a wrong element is found", case.name);
    }
}

#[test]
fn pointwise_kernels_and_reductions_reach_every_element() {
    check(KernelChoice::Suited, &["pointwise", "reductions"]);
}

#[test]
fn pools_depthwise_convolutions_and_images_reach_every_element() {
    check(KernelChoice::Suited, &["pools", "depthwise convolutions", "images of pixels"]);
}

#[test]
fn products_and_convolutions_in_tiles_of_software_devices_reach_every_row() {
    check(KernelChoice::Suited, &["large/products", "batches of products", "convolutions of many images"]);
}

#[test]
fn products_in_tiles_of_gpus_reach_every_row_and_merge_every_column() {
    check(KernelChoice::Gpu, &["large/products", "columns reduced by tiles"]);
}
