//! Measures and temperature against scikit-learn's on the same numbers (`tests/goldens/make_metrics.py`).

use chiaro_train::metrics::{Averages, ClassMetrics, fit_temperature};
use serde_json::Value;

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/metrics.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the golden measures")).expect("JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|n| n.as_f64().expect("a number")).collect()
}

fn whole(value: &Value) -> Vec<usize> {
    numbers(value).into_iter().map(|n| n as usize).collect()
}

fn rows(value: &Value) -> Vec<f64> {
    value.as_array().expect("rows").iter().flat_map(numbers).collect()
}

fn close(name: &str, ours: f64, theirs: &Value) {
    let theirs = theirs.as_f64().unwrap_or_else(|| panic!("{name} is {theirs}"));
    assert!((ours - theirs).abs() < 1e-12, "{name}: {ours}, scikit-learn says {theirs}");
}

/// Each class's and each mean's.
fn compare_classes(name: &str, ours: &ClassMetrics, theirs: &Value) {
    for (i, class) in ours.classes.iter().enumerate() {
        let known = [("precision", class.precision), ("recall", class.recall), ("f1", class.f1)];
        known.into_iter().for_each(|(key, value)| close(&format!("{name}: {key} {i}"), value, &theirs[key][i]));
        assert_eq!(class.samples as u64, theirs["samples"][i].as_u64().expect("a count"), "{name}");
        // A class without an image has none here; scikit-learn says so by an error.
        for (key, value) in [("auroc", class.auroc), ("average_precision", class.average_precision)] {
            match value {
                Some(value) => close(&format!("{name}: {key} {i}"), value, &theirs[key][i]),
                None => assert!(theirs[key][i].is_null(), "{name}: {key} {i}"),
            }
        }
    }
    for (kind, mean) in [("macro", &ours.macro_average), ("weighted", &ours.weighted_average)] {
        let Averages { precision, recall, f1, auroc, average_precision } = *mean;
        for (i, value) in [precision, recall, f1].into_iter().enumerate() {
            close(&format!("{name}: {kind} {i}"), value, &theirs[kind][i]);
        }
        for (key, value) in [("auroc", auroc), ("average_precision", average_precision)] {
            let key = format!("{key}_{kind}");
            if let Some(theirs) = theirs.get(&key) {
                close(&format!("{name}: {key}"), value.expect("defined"), theirs);
            }
        }
    }
}

#[test]
fn measures_are_scikit_learns_on_the_same_numbers() {
    let mut seen = 0;
    for case in golden()["cases"].as_array().expect("cases") {
        let name = case["name"].as_str().expect("a name");
        let (p, classes) = (rows(&case["probabilities"]), case["classes"].as_u64().expect("a count") as usize);
        let ours = match case.get("labels") {
            Some(labels) => ClassMetrics::of(&p, &whole(labels), classes),
            None => {
                let shown: Vec<bool> = rows(&case["shown"]).into_iter().map(|n| n == 1.0).collect();
                ClassMetrics::of_several(&p, &shown, classes)
            }
        };
        let ours = ours.expect("fits");
        compare_classes(name, &ours, case);
        for (key, value) in [("loss", Some(ours.loss)), ("accuracy", Some(ours.accuracy)), ("top5", ours.top5)] {
            if let Some(theirs) = case.get(key) {
                close(&format!("{name}: {key}"), value.expect("defined"), theirs);
                seen += 1;
            }
        }
        if let Some(theirs) = case.get("calibration_error") {
            close(&format!("{name}: calibration error"), ours.calibration_error.expect("defined"), theirs);
        }
    }
    assert_eq!(seen, 7, "loss and accuracy of three cases, top-5 of one");
}

#[test]
fn the_temperature_is_where_the_loss_is_smallest() {
    let golden = &golden()["scaling"];
    let (logits, labels) = (rows(&golden["logits"]), whole(&golden["labels"]));
    let narrow: Vec<f32> = logits.iter().map(|n| *n as f32).collect();
    let found = fit_temperature(&narrow, &labels, 5).expect("wrong ones");
    let wanted = golden["temperature"].as_f64().expect("a number");
    assert!((found / wanted - 1.0).abs() < 1e-5, "{found}, {wanted} by a scan");
    let at = |temperature: f64| {
        let powers = |row: &[f64]| {
            let powers: Vec<f64> = row.iter().map(|logit| (logit / temperature).exp()).collect();
            let sum: f64 = powers.iter().sum();
            powers.into_iter().map(|power| power / sum).collect::<Vec<f64>>()
        };
        ClassMetrics::of(&logits.chunks_exact(5).flat_map(powers).collect::<Vec<f64>>(), &labels, 5).expect("fits")
    };
    for (temperature, key) in [(1.0, "before"), (wanted, "after")] {
        let ours = at(temperature);
        close("loss", ours.loss, &golden[format!("loss_{key}")]);
        close("error", ours.calibration_error.expect("defined"), &golden[format!("error_{key}")]);
    }
}
