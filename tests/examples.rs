//! The examples run and learn.

#[path = "../examples/custom_model.rs"]
mod custom_model;
#[path = "../examples/own_data.rs"]
mod own_data;
#[path = "../examples/own_loop.rs"]
mod own_loop;
#[path = "../examples/own_op.rs"]
mod own_op;
#[path = "../examples/own_optimizer.rs"]
mod own_optimizer;

mod support;

use chiaro::cpu::Cpu;
use chiaro::graph::Shared;

fn cpu() -> Shared {
    Shared::new(Cpu::new(None).expect("threads"))
}

#[test]
fn a_loop_of_ones_own_with_a_loss_of_ones_own_learns() {
    let [first, last, found] = own_loop::run(cpu(), 8).expect("runs");
    assert!(last < first / 10.0 && found > 0.9, "{first} {last} {found}");
}

#[test]
fn an_op_of_ones_own_is_verified_like_the_rest_and_learns() {
    let mut devices = vec![cpu()];
    devices.extend(support::gpu().map(Shared::new));
    for mut device in devices {
        let report = own_op::verified(&mut device);
        assert!(report.passed() && report.cases.len() == 3, "{report}");
        assert!(report.cases.iter().all(|case| case.gradient.is_some()), "{report}");
        let prototypes = own_op::run(&mut device, 300).expect("runs");
        let far = |(found, wanted): (&f64, f64)| (found - wanted).abs();
        let worst = prototypes.iter().zip([0.0, 0.0, 3.0, 0.0, 0.0, 3.0]).map(far).fold(0.0, f64::max);
        assert!(worst < 1.0, "{prototypes:?}");
    }
}

#[test]
fn an_optimizer_of_ones_own_is_named_by_settings_and_learns() {
    let [loss, accuracy] = own_optimizer::run(cpu(), 1500, 4).expect("runs");
    assert!(loss < 3.0 && accuracy > 0.75, "{loss} {accuracy}");
}

#[test]
fn a_data_set_of_ones_own_is_learnt() {
    let accuracies = own_data::run(cpu(), 5).expect("runs");
    assert!(accuracies.last().is_some_and(|last| *last > 0.95), "{accuracies:?}");
}

#[test]
fn a_model_of_ones_own_is_trained_saved_opened_and_used() {
    let root = tempfile::tempdir().expect("a folder");
    let (accuracy, guesses) = custom_model::run(cpu(), &root.path().join("run"), 4).expect("runs");
    assert!(accuracy > 0.95, "{accuracy}");
    assert!(guesses[0].name == "columns" && guesses[0].value > 0.6, "{guesses:?}");
}
