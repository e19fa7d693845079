//! Every op case and three models, forward and backward, on the GPU against the float64 reference: fused and plain plans, trusted and
//! checked kernels.

mod support;

use chiaro_check::verify::{VerifyOptions, verify};
use chiaro_gpu::{BackendOptions, GpuBackend, KernelChoice, OpenOptions};

fn passes(options: OpenOptions, chosen: BackendOptions, wanted: fn(&str) -> bool) {
    let Some(gpu) = support::open(options) else {
        return;
    };
    let mut backend = GpuBackend::new(gpu, chosen);
    let mut reference = chiaro_cpu::reference::Reference::new();
    let filter = std::env::var("CHIARO_CASES").ok();
    let options = VerifyOptions { filter, ..VerifyOptions::default() };
    let mut cases = chiaro_check::cases();
    cases.extend(chiaro_check::models::models());
    cases.retain(|case| wanted(&case.name));
    let report = verify(&mut backend, &mut reference, &cases, &options);
    println!("{report}");
    let failures: Vec<String> =
        report.failures().map(|c| format!("{}: {}", c.name, c.failure.clone().unwrap_or_default())).collect();
    assert!(report.passed(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

fn all(_: &str) -> bool {
    true
}

#[test]
fn fused_plans_equal_the_reference() {
    passes(OpenOptions::default(), BackendOptions::default(), all);
}

#[test]
fn plain_plans_equal_the_reference() {
    passes(OpenOptions::default(), BackendOptions { fuse: false, ..BackendOptions::default() }, all);
}

#[test]
fn checked_kernels_equal_the_reference() {
    passes(OpenOptions { checked: true, ..OpenOptions::default() }, BackendOptions::default(), all);
}

/// Those of software devices are what the other tests run. Compiling them for every product and norm, which pass too, takes a
/// software device ten minutes; so here are whole models, and the shaders' own tests have the products.
#[test]
fn kernels_of_gpus_equal_the_reference() {
    let options = BackendOptions { kernels: KernelChoice::Gpu, ..BackendOptions::default() };
    passes(OpenOptions::default(), options, |name| name.starts_with("model"));
}
