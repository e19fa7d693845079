//! Losses.

use super::super::arg::{Entropy, V};
use super::super::call::Call;
use super::super::recipe::LeafKind;
use super::Gen;
use crate::draw::Draw;
use chiaro_graph::{DType, Reduction};

const REDUCTIONS: [Reduction; 4] = [Reduction::None, Reduction::Sum, Reduction::Mean, Reduction::Mean];

/// Cross-entropy of class indices or probabilities, and the likelihood of log-probabilities.
pub(super) fn entropy(g: &mut Gen) -> Option<V> {
    let logits = g.ranked(2)?;
    let (rows, classes, dtype) = (g.shape(logits)[0], g.shape(logits)[1], g.dtype(logits));
    let weighted = g.rng.percent(35);
    let weight_type = if g.rng.percent(50) { DType::F32 } else { dtype };
    let class_weight =
        if weighted { Some(g.leaf(LeafKind::Input, &[classes], weight_type, Draw::Uniform(0.25, 2.0))?) } else { None };
    let soft = g.rng.percent(20);
    let likelihood = !soft && g.rng.percent(30);
    // A mean over rows that are all ignored is 0 / 0.
    let ignores = !soft && rows > 4 && classes > 2 && g.rng.percent(30);
    let options = Entropy {
        class_weight,
        label_smoothing: if likelihood { 0.0 } else { g.rng.pick(&[0.0, 0.0, 0.1]) },
        ignore_index: if ignores { 1 } else { -100 },
        reduction: g.rng.pick(&REDUCTIONS),
    };
    if soft {
        let options = Entropy { class_weight: if weight_type == dtype { class_weight } else { None }, ..options };
        let target = g.leaf(LeafKind::Input, &[rows, classes], dtype, Draw::Probabilities)?;
        return g.call(Call::CrossEntropy { logits, target, options });
    }
    let target = g.leaf(LeafKind::Input, &[rows], DType::I32, Draw::Integers(0, classes as i64))?;
    if likelihood {
        let log_p = g.call(Call::Softmax { x: logits, axis: 1, log: true })?;
        let options = Entropy { class_weight: if weight_type == dtype { class_weight } else { None }, ..options };
        return g.call(Call::NllLoss { log_p, target, options });
    }
    g.call(Call::CrossEntropy { logits, target, options })
}

/// Losses of each element's distance.
pub(super) fn distance(g: &mut Gen) -> Option<V> {
    let x = g.float()?;
    let (shape, dtype) = (g.shape(x), g.dtype(x));
    let reduction = g.rng.pick(&REDUCTIONS);
    let there = g.some(|g, v| g.dtype(v) == dtype && g.shape(v) == shape);
    let target = match there.filter(|&v| v != x && g.rng.percent(40)) {
        Some(v) => v,
        None => g.float_like(&shape, dtype)?,
    };
    match g.rng.below(5) {
        0 => g.call(Call::MseLoss { x, target, reduction }),
        1 => g.call(Call::L1Loss { x, target, reduction }),
        2 => g.call(Call::HuberLoss { x, target, delta: 0.75, reduction }),
        3 => g.call(Call::SmoothL1Loss { x, target, beta: 0.5, reduction }),
        _ => {
            let target = g.leaf(LeafKind::Input, &shape, dtype, Draw::Uniform(0.0, 1.0))?;
            let last = shape.last().copied().unwrap_or(1);
            let pos_weight = if g.rng.percent(40) { Some(g.scale(&[last], dtype)?) } else { None };
            g.call(Call::BceWithLogits { x, target, pos_weight, reduction })
        }
    }
}
