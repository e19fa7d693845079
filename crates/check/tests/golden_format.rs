//! Cases that the golden format allows and the repository's files lack: losses of pixels, axes from the end. Their values are computed
//! here by the definitions, in PyTorch's layouts.

use chiaro_check::golden::{Golden, run_family};
use chiaro_cpu::reference::Reference;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::collections::HashMap;

/// A file under construction.
#[derive(Default)]
struct File {
    tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
    cases: Vec<Value>,
}

impl File {
    fn case(&mut self, name: &str, op: &str, attrs: Value) {
        self.cases.push(json!({"name": name, "op": op, "attrs": attrs}));
    }

    fn floats(&mut self, name: &str, shape: &[usize], values: &[f64]) {
        let bytes = values.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect();
        self.tensors.push((name.into(), Dtype::F32, shape.to_vec(), bytes));
    }

    fn integers(&mut self, name: &str, shape: &[usize], values: &[i32]) {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.tensors.push((name.into(), Dtype::I32, shape.to_vec(), bytes));
    }

    fn check(&self, family: &str, wanted: usize) {
        let views = self.tensors.iter().map(|(name, dtype, shape, bytes)| {
            (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).expect("as many bytes"))
        });
        let header = HashMap::from([("cases".to_string(), Value::from(self.cases.clone()).to_string())]);
        let bytes = safetensors::serialize(views, Some(header)).expect("serialized");
        let golden = Golden::parse(family, &bytes).expect("a golden file");
        let checks = run_family(&mut Reference::new(), family, &golden).expect("every case runs");
        let failures: Vec<_> = checks.iter().filter(|c| c.failure.is_some()).collect();
        assert!(failures.is_empty(), "{failures:#?}");
        assert_eq!(checks.len(), wanted);
    }
}

const SHAPE: [usize; 4] = [2, 3, 2, 2];
const PIXELS: [usize; 3] = [2, 2, 2];
const TARGET: [i32; 8] = [0, 2, 1, -1, 2, 2, 0, 1];
const WEIGHT: [f64; 3] = [0.5, 1.0, 2.0];

fn logit(i: usize) -> f64 {
    ((i * 37) % 23) as f64 * 0.125 - 1.0
}

/// Position in `[N,C,H,W]` of class c of a pixel `[N,H,W]`.
fn at(pixel: usize, c: usize) -> usize {
    (pixel / 4) * 12 + c * 4 + pixel % 4
}

/// Losses of pixels, the gradient of `sum(loss cotangent)` and the weight of each pixel, for logits or log-probabilities.
fn losses(values: &[f64], log: bool, cotangent: &[f64]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut loss, mut gradient, mut weights) = (vec![0.0; 8], vec![0.0; values.len()], vec![0.0; 8]);
    for pixel in (0..8).filter(|&p| TARGET[p] >= 0) {
        let target = TARGET[pixel] as usize;
        let total: f64 = (0..3).map(|c| values[at(pixel, c)].exp()).sum();
        let own = values[at(pixel, target)] - if log { 0.0 } else { total.ln() };
        weights[pixel] = WEIGHT[target];
        loss[pixel] = -WEIGHT[target] * own;
        for c in 0..3 {
            let share = if log { 0.0 } else { values[at(pixel, c)].exp() / total };
            let hit = f64::from(u8::from(c == target));
            gradient[at(pixel, c)] = cotangent[pixel] * WEIGHT[target] * (share - hit);
        }
    }
    (loss, gradient, weights)
}

fn pixel_losses(op: &str, log: bool) {
    let values: Vec<f64> = (0..24).map(logit).map(|v| if log { v - 2.0 } else { v }).collect();
    let mut file = File::default();
    for reduction in ["none", "sum", "mean"] {
        let cotangent: Vec<f64> = (0..8).map(|i| if reduction == "none" { 0.5 + i as f64 } else { 1.0 }).collect();
        let (loss, mut gradient, weights) = losses(&values, log, &cotangent);
        let total: f64 = weights.iter().sum();
        let mut attrs = json!({"reduction": reduction, "ignore_index": -1});
        if !log {
            attrs["label_smoothing"] = json!(0.0);
        }
        file.case(reduction, op, attrs);
        let name = |role: &str| format!("{reduction}/{role}");
        file.floats(&name("input"), &SHAPE, &values);
        file.integers(&name("target"), &PIXELS, &TARGET);
        file.floats(&name("class_weight"), &[3], &WEIGHT);
        match reduction {
            "none" => {
                file.floats(&name("output"), &PIXELS, &loss);
                file.floats(&name("cotangent"), &PIXELS, &cotangent);
            }
            reduction => {
                let divisor = if reduction == "mean" { total } else { 1.0 };
                gradient.iter_mut().for_each(|g| *g /= divisor);
                file.floats(&name("output"), &[], &[loss.iter().sum::<f64>() / divisor]);
                file.floats(&name("cotangent"), &[], &[1.0]);
            }
        }
        file.floats(&name("grad_input"), &SHAPE, &gradient);
    }
    file.check(op, 6);
}

#[test]
fn cross_entropy_of_pixels_can_be_written_as_a_case() {
    pixel_losses("cross_entropy", false);
}

#[test]
fn likelihood_of_pixels_can_be_written_as_a_case() {
    pixel_losses("nll_loss", true);
}

#[test]
fn cross_entropy_of_pixels_with_probabilities_can_be_written_as_a_case() {
    let values: Vec<f64> = (0..24).map(logit).collect();
    let mut target = vec![0.0; 24];
    let mut loss = 0.0;
    for pixel in 0..8 {
        let total: f64 = (0..3).map(|c| values[at(pixel, c)].exp()).sum();
        for (c, share) in [0.5, 0.2, 0.3].into_iter().enumerate() {
            target[at(pixel, c)] = share;
            loss -= share * (values[at(pixel, c)] - total.ln());
        }
    }
    let mut file = File::default();
    file.case("soft", "cross_entropy", json!({"reduction": "mean", "ignore_index": -100, "label_smoothing": 0.0}));
    file.floats("soft/input", &SHAPE, &values);
    file.floats("soft/target", &SHAPE, &target);
    // PyTorch's mean over probabilities divides by the number of pixels.
    file.floats("soft/output", &[], &[loss / 8.0]);
    file.check("cross_entropy", 1);
}

#[test]
fn axes_from_the_end_can_be_written_as_cases() {
    let x: Vec<f64> = (0..6).map(|i| f64::from(i * i % 7)).collect();
    let mut file = File::default();
    let mut case = |name: &str, op: &str, attrs: Value, shape: &[usize], output: &[f64], role: &str| {
        file.case(name, op, attrs);
        file.floats(&format!("{name}/{role}"), &[2, 3], &x);
        file.floats(&format!("{name}/output"), shape, output);
    };
    // The operand is [[0, 1, 4], [2, 2, 4]].
    case("sum", "sum", json!({"dim": [-1], "keepdim": false}), &[2], &[5.0, 8.0], "input");
    case("mean", "mean", json!({"dim": [-2], "keepdim": true}), &[1, 3], &[1.0, 1.5, 4.0], "input");
    case("var", "var", json!({"dim": [-2, -1], "keepdim": false, "correction": 0}), &[], &[77.0 / 36.0], "input");
    case("amax", "amax", json!({"dim": [-1, 0], "keepdim": false}), &[], &[4.0], "input");
    case(
        "permute",
        "permute_reshape",
        json!({"dims": [-1, 0], "shape": [6]}),
        &[6],
        &[0.0, 2.0, 1.0, 2.0, 4.0, 4.0],
        "input",
    );
    case("cat", "cat", json!({"dim": -2}), &[2, 3], &x, "input0");
    file.case("argmax", "argmax", json!({"dim": -1, "keepdim": false}));
    file.floats("argmax/input", &[2, 3], &x);
    file.integers("argmax/output", &[2], &[2, 2]);
    file.case("max", "max", json!({"dim": -2, "keepdim": false}));
    file.floats("max/input", &[2, 3], &x);
    file.floats("max/output", &[3], &[2.0, 2.0, 4.0]);
    file.integers("max/indices", &[3], &[1, 1, 0]);
    file.case("softmax", "softmax", json!({"dim": -2}));
    file.floats("softmax/input", &[2, 3], &x);
    let upper: Vec<f64> = (0..3).map(|i| 1.0 / (1.0 + (x[i + 3] - x[i]).exp())).collect();
    let both: Vec<f64> = upper.iter().copied().chain(upper.iter().map(|p| 1.0 - p)).collect();
    file.floats("softmax/output", &[2, 3], &both);
    file.check("reductions", 10);
}
