//! Softmax along the last axis, and softmax cross-entropy with its gradient, row by row.

use super::value::Value;
use chiaro_graph::CrossEntropySpec;

/// Logarithm of the softmax of a row; its largest element is subtracted first.
fn log_softmax_row(row: &[f64]) -> Vec<f64> {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = row.iter().map(|v| (v - largest).exp()).sum();
    row.iter().map(|v| v - largest - total.ln()).collect()
}

pub(super) fn softmax(x: Value<'_>, log: bool) -> Vec<f64> {
    let n = x.shape.last().copied().unwrap_or(1).max(1);
    let rows = x.data.chunks(n).flat_map(log_softmax_row);
    if log { rows.collect() } else { rows.map(f64::exp).collect() }
}

/// Class of a row, or none if it is ignored. A class outside is the caller's error; it is moved inside, as on every backend.
fn class(target: f64, spec: &CrossEntropySpec, classes: usize) -> Option<usize> {
    let ignored = target == f64::from(spec.ignore_index);
    (!ignored).then(|| (target.max(0.0) as usize).min(classes - 1))
}

/// Loss of each row: `w[t] (1-s) (-log p[t]) + s/C sum_c w[c] (-log p[c])`, 0 where ignored.
pub(super) fn cross_entropy(
    logits: Value<'_>,
    target: Value<'_>,
    weight: Option<Value<'_>>,
    spec: &CrossEntropySpec,
) -> Vec<f64> {
    let (c, s) = (logits.shape[1], spec.smoothing());
    let w = weights(weight, c);
    let rows = logits.data.chunks(c).zip(target.data);
    rows.map(|(row, &t)| {
        let Some(t) = class(t, spec, c) else { return 0.0 };
        let log_p = log_softmax_row(row);
        // An impossible class (logit minus infinity) costs nothing where none of the target is spread to it.
        let spread: f64 = if s == 0.0 { 0.0 } else { (0..c).map(|i| -w[i] * log_p[i]).sum() };
        -w[t] * (1.0 - s) * log_p[t] + s / c as f64 * spread
    })
    .collect()
}

/// Gradient of the logits: `d [w[t] (1-s) (p - e_t) + s/C (p sum_c w[c] - w)]`, 0 where ignored.
pub(super) fn cross_entropy_grad(
    logits: Value<'_>,
    target: Value<'_>,
    cotangent: Value<'_>,
    weight: Option<Value<'_>>,
    spec: &CrossEntropySpec,
) -> Vec<f64> {
    let (c, s) = (logits.shape[1], spec.smoothing());
    let w = weights(weight, c);
    let total: f64 = w.iter().sum();
    let mut out = Vec::with_capacity(logits.data.len());
    for ((row, &t), d) in logits.data.chunks(c).zip(target.data).zip(cotangent.data) {
        let Some(t) = class(t, spec, c) else {
            out.extend(vec![0.0; c]);
            continue;
        };
        out.extend(log_softmax_row(row).iter().enumerate().map(|(j, log_p)| {
            let p = log_p.exp();
            let hit = if j == t { 1.0 } else { 0.0 };
            d * (w[t] * (1.0 - s) * (p - hit) + s / c as f64 * (p * total - w[j]))
        }));
    }
    out
}

fn weights(weight: Option<Value<'_>>, classes: usize) -> Vec<f64> {
    weight.map_or(vec![1.0; classes], |w| w.data.to_vec())
}
