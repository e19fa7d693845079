//! The proof that the comparison of backends can fail. The comparisons themselves, with PyTorch's golden values and with the
//! float64 reference, are tests of `chiaro-cpu` and `chiaro-gpu`.

mod support;

use chiaro::Backend;
use chiaro::cpu::reference::Reference;
use chiaro_check::cases;
use chiaro_check::verify::{VerifyOptions, verify};

/// The negative control: with one element of one result changed, that case fails and no other does.
fn one_changed_element_fails(backend: &mut dyn Backend) {
    let mut some = cases();
    some.retain(|case| case.family() == "conv" || case.family() == "reduce");
    assert!(some.len() > 8, "only {} cases are left", some.len());
    for corrupt in [0, some.len() / 2, some.len() - 1] {
        let options = VerifyOptions { corrupt: Some(corrupt), ..VerifyOptions::default() };
        let report = verify(backend, &mut Reference::new(), &some, &options);
        let failed: Vec<&str> = report.failures().map(|c| c.name.as_str()).collect();
        assert_eq!(failed, [some[corrupt].name.as_str()]);
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
