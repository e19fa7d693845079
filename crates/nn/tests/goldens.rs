//! PyTorch's optimizers, schedules and training runs, on the reference executor.

mod common;

use std::sync::Arc;

use chiaro_cpu::reference::Reference;
use chiaro_nn::{Classification, Plateau, Schedule, Threshold};
use common::{golden, golden_path, optimizers, trajectory};
use serde_json::Value;

#[test]
fn optimizers_follow_pytorch_after_every_step() {
    let golden = golden("optimizers.safetensors");
    assert_eq!(golden.cases().len(), 16);
    for case in golden.cases() {
        let worst = optimizers::worst_error(&mut Reference::new(), &golden, case);
        assert!(worst <= 2e-6, "{}: {worst:e}", case.name);
    }
}

#[test]
fn lenet_trains_as_in_pytorch() {
    let golden = golden("trajectory_lenet.safetensors");
    assert_eq!(golden.cases().len(), 3);
    for case in golden.cases() {
        let errors = trajectory::run(&mut Reference::new(), &golden, case);
        errors.check(&case.name, 1e-3);
    }
}

#[test]
fn a_training_run_that_differs_slightly_is_told_apart() {
    let golden = golden("trajectory_lenet.safetensors");
    let case = &golden.cases()[0];
    let mut attrs = case.attrs.json()["optimizer"].clone();
    assert_eq!((&attrs["type"], &attrs["nesterov"]), (&"SGD".into(), &true.into()), "the first case");
    attrs["nesterov"] = false.into();
    let errors = trajectory::run_changed(&mut Reference::new(), &golden, case, |options| {
        options.objective = Arc::new(Classification { label_smoothing: 0.01, ..Default::default() });
        options.optimizers = common::optimizer("SGD", &attrs).0;
    });
    let [gradient, early_loss, loss, weights, statistics, logits] = errors.over_limits(1e-3);
    assert!([gradient, early_loss, loss, weights, logits].iter().all(|share| *share > 10.0), "{errors:?}");
    assert_eq!(statistics, 0.0, "this network has no running statistics");
}

#[test]
fn resnet_trains_as_in_pytorch() {
    let golden = golden("trajectory_resnet.safetensors");
    assert_eq!(golden.cases().len(), 1);
    for case in golden.cases() {
        let errors = trajectory::run(&mut Reference::new(), &golden, case);
        errors.check(&case.name, 3e-3);
    }
}

#[test]
fn schedules_follow_pytorch() {
    let text = std::fs::read_to_string(golden_path("schedulers.json")).expect("the golden schedules");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let cases = file["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 10);
    for case in cases {
        let base = case["base_lr"].as_f64().expect("a rate");
        let want: Vec<f64> =
            case["lr"].as_array().expect("rates").iter().map(|v| v.as_f64().expect("a rate")).collect();
        let got = rates(case, base, want.len());
        for (t, (g, w)) in got.iter().zip(&want).enumerate() {
            assert!((g - w).abs() <= 1e-10 * w.abs(), "{} at {t}: {g:e}, expected {w:e}", case["name"]);
        }
    }
}

fn rates(case: &Value, base: f64, steps: usize) -> Vec<f64> {
    let kind = case["scheduler"].as_str().expect("a scheduler");
    let attrs = &case["attrs"];
    if kind == "ReduceLROnPlateau" {
        let mut plateau = plateau(attrs, base);
        let metrics = case["metrics"].as_array().expect("metrics").iter().map(|m| m.as_f64().expect("a metric"));
        return [base].into_iter().chain(metrics.map(|m| plateau.observe(m))).take(steps).collect();
    }
    // The highest rate of one cycle is an argument of its own in PyTorch, and the base rate here.
    let base = if kind == "OneCycleLR" { number(attrs, "max_lr") } else { base };
    let schedule = schedule(kind, attrs);
    (0..steps).map(|t| schedule.rate(base, t as u64)).collect()
}

fn plateau(attrs: &Value, base: f64) -> Plateau {
    let amount = number(attrs, "threshold");
    let plain = Plateau::new(base);
    Plateau {
        factor: number(attrs, "factor"),
        patience: number(attrs, "patience") as u64,
        threshold: match attrs["threshold_mode"].as_str() {
            Some("abs") => Threshold::Absolute(amount),
            Some("rel") | None => Threshold::Relative(amount),
            Some(other) => panic!("unknown threshold_mode {other}"),
        },
        cooldown: number(attrs, "cooldown") as u64,
        min: number(attrs, "min_lr"),
        least_change: attrs["eps"].as_f64().unwrap_or(plain.least_change),
        maximize: attrs["mode"] == "max",
        ..plain
    }
}

#[test]
fn a_plateau_of_absolute_thresholds_can_be_written_as_a_case() {
    let case = serde_json::json!({
        "scheduler": "ReduceLROnPlateau",
        "attrs": {"mode": "max", "factor": 0.1, "patience": 0, "threshold": 0.5, "threshold_mode": "abs", "cooldown": 1,
            "min_lr": 0.0, "eps": 0.0},
        "metrics": [1.0, 1.4, 1.45, 2.0, 2.5],
    });
    // 1.4 is bad, the cooldown forgives 1.45, 2.0 is better by more than 0.5, 2.5 is not.
    let want = [1.0, 1.0, 0.1, 0.1, 0.1, 0.01];
    let got = rates(&case, 1.0, want.len());
    assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-12), "{got:?}");
}

fn number(attrs: &Value, key: &str) -> f64 {
    attrs[key].as_f64().unwrap_or_else(|| panic!("no number {key}"))
}

fn schedule(kind: &str, attrs: &Value) -> Schedule {
    let number = |key| number(attrs, key);
    match kind {
        "StepLR" => Schedule::Step { every: number("step_size") as u64, gamma: number("gamma") },
        "MultiStepLR" => {
            let milestones = attrs["milestones"].as_array().expect("milestones");
            let milestones = milestones.iter().map(|m| m.as_u64().expect("a time")).collect();
            Schedule::MultiStep { milestones, gamma: number("gamma") }
        }
        "ExponentialLR" => Schedule::Exponential { gamma: number("gamma") },
        "CosineAnnealingLR" => Schedule::Cosine {
            period: number("T_max") as u64,
            min: attrs.get("eta_min").map_or(0.0, |v| v.as_f64().expect("a rate")),
        },
        "LinearLR" => Schedule::Linear {
            start: number("start_factor"),
            end: number("end_factor"),
            over: number("total_iters") as u64,
        },
        "SequentialLR" => {
            let part = |i: usize| {
                let part = &attrs["schedulers"][i];
                Box::new(schedule(part["scheduler"].as_str().expect("a scheduler"), &part["attrs"]))
            };
            Schedule::Then { before: part(0), at: attrs["milestones"][0].as_u64().expect("a time"), after: part(1) }
        }
        "OneCycleLR" => Schedule::OneCycle {
            total: number("total_steps") as u64,
            rise: number("pct_start"),
            div: number("div_factor"),
            final_div: number("final_div_factor"),
        },
        "PolynomialLR" => Schedule::Polynomial { over: number("total_iters") as u64, power: number("power") },
        other => panic!("unknown scheduler {other}"),
    }
}
