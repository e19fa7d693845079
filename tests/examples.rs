//! The examples run and learn.
#![allow(clippy::duplicate_mod, reason = "examples are programs of their own that read the same tables")]

#[path = "../examples/breast_cancer.rs"]
mod breast_cancer;
#[path = "../examples/by_hand.rs"]
mod by_hand;
#[path = "../examples/custom_model.rs"]
mod custom_model;
#[path = "../examples/kmeans.rs"]
mod kmeans;
#[path = "../examples/linear_regression.rs"]
mod linear_regression;
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

/// The CPU, and a GPU where there is one.
fn devices() -> Vec<Shared> {
    std::iter::once(cpu()).chain(support::gpu().map(Shared::new)).collect()
}

#[test]
fn a_line_through_noisy_points_is_that_of_the_closed_form() {
    let root = tempfile::tempdir().expect("a folder");
    for device in devices() {
        let picture = root.path().join("line.png");
        let [line, exact] = linear_regression::run(device, &picture).expect("runs");
        for ((found, exact), true_value) in line.iter().zip(exact).zip([2.0, 1.0]) {
            assert!((found - true_value).abs() < 0.05 && (found - exact).abs() < 0.005, "{line:?} {exact:?}");
        }
        assert!(image::open(&picture).is_ok_and(|picture| picture.width() == 500));
    }
}

#[test]
fn gradients_written_out_are_those_that_the_graph_derives() {
    for mut device in devices() {
        for kind in [by_hand::Kind::Linear, by_hand::Kind::Logistic] {
            let (weights, worst) = by_hand::run(&mut device, kind, 1000).expect("runs");
            assert!(worst < 1e-4, "{kind:?}: {worst}");
            let near = |(found, wanted): (&f64, f64)| match kind {
                by_hand::Kind::Linear => (found - wanted).abs() < 0.05,
                by_hand::Kind::Logistic => found.signum() == wanted.signum(),
            };
            assert!(weights.iter().zip([1.5, -2.0, 0.5]).all(near), "{kind:?}: {weights:?}");
        }
    }
}

#[test]
fn logistic_regression_has_the_weights_and_the_accuracy_of_scikit_learn() {
    for device in devices() {
        let (accuracy, weights) = breast_cancer::run(device).expect("runs");
        assert!(accuracy > 0.99, "{accuracy}");
        for (found, wanted) in weights.iter().zip([-0.27357, -0.20641, -0.26444]) {
            assert!((found - wanted).abs() < 1e-4, "{weights:?}");
        }
    }
}

#[test]
fn clusters_of_iris_are_as_tight_as_scikit_learns() {
    for device in devices() {
        let (inertia, sizes) = kmeans::run(device, 3).expect("runs");
        assert!((inertia / 78.8514 - 1.0).abs() < 1e-3 && sizes == [62, 50, 38], "{inertia} {sizes:?}");
    }
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
