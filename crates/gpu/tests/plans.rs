//! Graphs that make the planner's decisions matter, by the kernels of software devices and by those of GPUs.

mod support;

use chiaro_check::plans::plans;
use chiaro_gpu::{BackendOptions, GpuBackend, KernelChoice, OpenOptions};

fn check(options: &BackendOptions, wanted: fn(&str) -> bool) {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    for case in plans().iter().filter(|case| wanted(case.name)) {
        let mut backend = GpuBackend::new(gpu.clone(), options.clone());
        let difference = case.difference(&mut backend).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        assert_eq!(difference, None, "{}", case.name);
    }
}

#[test]
fn fused_plans_get_every_decision_right() {
    check(&BackendOptions::default(), |_| true);
}

#[test]
fn plain_plans_get_every_decision_right() {
    check(&BackendOptions { fuse: false, ..BackendOptions::default() }, |_| true);
}

/// Where columns are reduced on the way: no other plan differs from those of software devices, whose kernels compile faster.
#[test]
fn plans_of_gpus_get_every_decision_right() {
    let options = BackendOptions { kernels: KernelChoice::Gpu, ..BackendOptions::default() };
    check(&options, |name| ["sums", "a sum of", "a convolution"].iter().any(|start| name.starts_with(start)));
}
