//! PyTorch's golden values, every case of every operator family, on the GPU.

mod support;

use std::path::Path;

use chiaro_check::golden::{FAMILIES, Golden, run_family};
use chiaro_gpu::{BackendOptions, GpuBackend, OpenOptions};

#[test]
fn every_case_of_every_family_agrees_with_pytorch() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens");
    let mut failures = vec![];
    for &(family, cases) in FAMILIES {
        let golden = Golden::load(&folder.join(format!("{family}.safetensors"))).expect("a file of the repository");
        assert_eq!(golden.cases().len(), cases, "{family}");
        let mut backend = GpuBackend::new(gpu.clone(), BackendOptions::default());
        let checks = run_family(&mut backend, family, &golden).expect("every case runs");
        assert!(checks.len() >= cases, "{family}: every case has at least its output checked");
        let worst = checks.iter().map(|c| c.error).fold(0.0, f64::max);
        println!("{family}: {cases} cases, {} tensors, worst relative error {worst:.1e}", checks.len());
        failures.extend(checks.into_iter().filter(|c| c.failure.is_some()));
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
