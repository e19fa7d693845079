//! Analytic gradients against central differences in 64 bits: every case of the table, and three models.

use chiaro_check::cases;
use chiaro_check::gradient::{GradientCheck, check_case};
use chiaro_check::models::models;

fn assert_all(checks: &[GradientCheck]) {
    let worst = checks.iter().max_by(|a, b| a.error.total_cmp(&b.error)).expect("some check");
    let inputs: usize = checks.iter().map(|c| c.inputs).sum();
    println!("{} checks, {inputs} inputs, worst {:.1e} in {}", checks.len(), worst.error, worst.name);
    let failures: Vec<_> = checks.iter().filter(|c| c.failure.is_some()).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn every_case_has_the_gradient_that_differences_show() {
    let run = |c: &chiaro_check::Case| check_case(c).unwrap_or_else(|e| panic!("{}: {e}", c.name));
    assert_all(&cases().iter().map(run).collect::<Vec<_>>());
}

#[test]
fn the_models_have_the_gradients_that_differences_show() {
    let checks: Vec<_> = models().iter().map(|m| check_case(m).unwrap_or_else(|e| panic!("{}: {e}", m.name))).collect();
    for check in &checks {
        assert!(check.inputs >= 8, "{}: only {} parameters were checked", check.name, check.inputs);
    }
    assert_all(&checks);
}
