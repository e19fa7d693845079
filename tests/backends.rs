//! Every backend against PyTorch's golden values and against the float64 reference, and the proof that these can fail.

mod support;

use chiaro::Backend;
use chiaro::cpu::reference::Reference;
use chiaro_check::cases;
use chiaro_check::golden::{FAMILIES, Golden, run_case};
use chiaro_check::verify::{Options, verify};
use std::path::Path;

/// All golden cases. A new backend for each family bounds the memory of compiled graphs.
fn goldens(new: impl Fn() -> Option<Box<dyn Backend>>) {
    let mut failures = vec![];
    for &(family, cases) in FAMILIES {
        let Some(mut backend) = new() else { return };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/goldens/{family}.safetensors"));
        let golden = Golden::load(&path).expect("a golden file of the repository");
        assert_eq!(golden.cases().len(), cases, "{family}");
        let mut worst = 0.0f64;
        for case in golden.cases() {
            let name = format!("{family}/{}", case.name);
            let checks = match run_case(&mut *backend, family, &golden, case) {
                Ok(checks) => checks,
                Err(error) => {
                    failures.push(format!("{name}: {error}"));
                    continue;
                }
            };
            assert!(!checks.is_empty(), "{name}: nothing was compared");
            for check in checks {
                worst = worst.max(check.error);
                failures.extend(check.failure.map(|why| format!("{name} {}: {why}", check.role)));
            }
        }
        println!("{family}: {cases} cases, worst relative error {worst:.1e}");
    }
    assert!(failures.is_empty(), "{} golden tensors differ:\n{}", failures.len(), failures.join("\n"));
}

/// All op cases, forward and backward.
fn op_cases(backend: &mut dyn Backend) {
    let report = verify(backend, &mut Reference::new(), &cases(), &Options::default());
    println!("{report}");
    assert!(report.passed(), "{} cases fail; the table above says which", report.failures().count());
    assert_eq!(report.cases.len(), cases().len());
}

/// The negative control: with one element of one result changed, that case fails and no other does.
fn one_changed_element_fails(backend: &mut dyn Backend) {
    let mut some = cases();
    some.retain(|case| case.family() == "conv" || case.family() == "reduce");
    assert!(some.len() > 8, "only {} cases are left", some.len());
    for corrupt in [0, some.len() / 2, some.len() - 1] {
        let options = Options { corrupt: Some(corrupt), ..Options::default() };
        let report = verify(backend, &mut Reference::new(), &some, &options);
        let failed: Vec<&str> = report.failures().map(|c| c.name.as_str()).collect();
        assert_eq!(failed, [some[corrupt].name.as_str()]);
    }
}

#[test]
fn the_cpu_meets_every_golden_value() {
    goldens(|| Some(Box::new(support::cpu())));
}

#[test]
fn the_gpu_meets_every_golden_value() {
    goldens(|| Some(Box::new(support::gpu()?)));
}

#[test]
fn the_cpu_agrees_with_the_reference_in_every_op() {
    op_cases(&mut support::cpu());
}

#[test]
fn the_gpu_agrees_with_the_reference_in_every_op() {
    if let Some(mut gpu) = support::gpu() {
        op_cases(&mut gpu);
    }
}

#[test]
fn a_changed_element_fails_on_the_cpu() {
    one_changed_element_fails(&mut support::cpu());
}

#[test]
fn a_changed_element_fails_on_the_gpu() {
    if let Some(mut gpu) = support::gpu() {
        one_changed_element_fails(&mut gpu);
    }
}
