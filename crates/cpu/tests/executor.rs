//! The fast executor against the float64 reference and PyTorch's golden values.

use chiaro_check::cases;
use chiaro_check::golden::{FAMILIES, Golden, run_family};
use chiaro_check::verify::{VerifyOptions, verify};
use chiaro_cpu::Cpu;
use chiaro_cpu::reference::Reference;
use std::path::Path;

fn check(mut backend: Cpu) {
    let options = VerifyOptions { filter: std::env::var("CHIARO_CASE").ok(), ..VerifyOptions::default() };
    let report = verify(&mut backend, &mut Reference::new(), &cases(), &options);
    let failures: Vec<_> = report.failures().collect();
    assert!(report.passed(), "{} of {}: {failures:#?}", failures.len(), report.cases.len());
}

#[test]
fn every_case_agrees_with_the_reference() {
    check(Cpu::new(Some(2)).expect("threads"));
}

#[test]
fn every_case_agrees_without_fusion() {
    check(Cpu::unfused(Some(1)).expect("threads"));
}

#[test]
fn every_golden_case_agrees_with_pytorch() {
    let mut failures = vec![];
    for &(family, cases) in FAMILIES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/goldens/{family}.safetensors"));
        let golden = Golden::load(&path).expect("a golden file of the repository");
        assert_eq!(golden.cases().len(), cases, "{family}");
        let mut backend = Cpu::new(Some(2)).expect("threads");
        let checks = run_family(&mut backend, family, &golden).expect("every case runs");
        assert!(checks.len() >= cases, "{family}: every case has at least its output checked");
        failures.extend(checks.into_iter().filter(|c| c.failure.is_some()));
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
