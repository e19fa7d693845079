//! Training golden values as functions over any backend: optimizers step by step, and whole training runs.
#![allow(dead_code, reason = "each test program uses its part")]

pub mod optimizers;
pub mod trajectory;
pub mod whole;

use chiaro_check::golden::Golden;
use chiaro_nn::{Adagrad, Adam, AdamW, Optimizers, RmsProp, Sgd};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Opens a golden file of the repository.
pub fn golden(file: &str) -> Golden {
    Golden::load(&golden_path(file)).expect("golden file")
}

/// Where a golden file lies, seen from this package or from the root package, whose tests use this file too.
pub fn golden_path(file: &str) -> PathBuf {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|package| package.join("tests/goldens"));
    folders.map(|folder| folder.join(file)).find(|path| path.exists()).expect("a golden file of the repository")
}

/// The tensor of a golden file.
pub fn tensor<'g>(golden: &'g Golden, name: &str) -> &'g chiaro_graph::Tensor {
    golden.tensor(name).unwrap_or_else(|| panic!("no golden tensor {name}"))
}

/// The optimizer of PyTorch's class and arguments, with its learning rate.
pub fn optimizer(class: &str, attrs: &Value) -> (Optimizers, f64) {
    let number = |key: &str, default: f64| attrs.get(key).map_or(default, |v| v.as_f64().expect("a number"));
    let flag = |key: &str| attrs.get(key).is_some_and(|v| v.as_bool().expect("a truth value"));
    let known = [
        "lr",
        "momentum",
        "nesterov",
        "weight_decay",
        "betas",
        "eps",
        "alpha",
        "centered",
        "lr_decay",
        "initial_accumulator_value",
        "type",
    ];
    for key in attrs.as_object().expect("attributes").keys() {
        assert!(known.contains(&key.as_str()), "the attribute {key} is not read by this test");
    }
    let betas = attrs.get("betas").map_or([0.9, 0.999], |b| [0, 1].map(|i| b[i].as_f64().expect("a beta")));
    let (eps, momentum) = (number("eps", 1e-8), number("momentum", 0.0));
    let decay = |default| number("weight_decay", default);
    let optimizer = match class {
        "SGD" => Optimizers::new(Sgd { momentum, nesterov: flag("nesterov"), weight_decay: decay(0.0) }),
        "Adam" => Optimizers::new(Adam { betas, eps, weight_decay: decay(0.0) }),
        "AdamW" => Optimizers::new(AdamW { betas, eps, weight_decay: decay(0.01) }),
        "RMSprop" => Optimizers::new(RmsProp {
            alpha: number("alpha", 0.99),
            eps,
            weight_decay: decay(0.0),
            momentum,
            centered: flag("centered"),
        }),
        "Adagrad" => Optimizers::new(Adagrad {
            lr_decay: number("lr_decay", 0.0),
            eps: number("eps", 1e-10),
            weight_decay: decay(0.0),
            initial_accumulator: number("initial_accumulator_value", 0.0),
        }),
        other => panic!("unknown optimizer {other}"),
    };
    (optimizer, number("lr", 0.001))
}
