//! Gradient ops as cases of their own, so that their values and their own gradients are checked: each takes `x`, further
//! operands and a cotangent `d`, and gives the gradient of one operand.

use crate::case::Case;
use crate::draw::Draw;
use chiaro_graph::{
    AvgDivisor, ConvSpec, CrossEntropyOptions, DType, Elementwise, Graph, PoolSpec, Reduction, Result, Var,
};

/// The gradient with respect to operand `of` of the op that `f` records from the operands before the last, the cotangent.
fn gradient(g: &mut Graph, v: &[Var], of: usize, f: impl FnOnce(&mut Graph, &[Var]) -> Result<Var>) -> Result<Var> {
    let (d, operands) = (v[v.len() - 1], &v[..v.len() - 1]);
    let y = f(g, operands)?;
    Ok(g.grad(y, Some(d), &[operands[of]])?[0])
}

pub(super) fn cases() -> Vec<Case> {
    let mut all = structural();
    all.extend(normalising());
    all.extend(indexing());
    all
}

fn structural() -> Vec<Case> {
    let mut all = vec![];
    let spec = ConvSpec { stride: [2, 1], padding: [1, 0, 2, 1], dilation: [1, 2], groups: 2 };
    for (name, of) in [("input", 0), ("weight", 1)] {
        let spec = spec.clone();
        let case = Case::new(format!("second/conv2d_{name}"), move |g, v| {
            gradient(g, v, of, |g, v| g.conv2d(v[0], v[1], &spec))
        });
        let case = case.float("x", &[2, 6, 5, 4], Draw::Normal).float("weight", &[6, 3, 2, 2], Draw::Normal);
        all.push(case.float("d", &[2, 3, 6, 6], Draw::Normal).terms(100));
    }
    for (name, of) in [("first", 0), ("second", 1)] {
        let case = Case::new(format!("second/matmul_{name}"), move |g, v| {
            gradient(g, v, of, |g, v| g.matmul(v[0], v[1], true, false))
        });
        let case = case.float("a", &[3, 5, 4], Draw::Normal).float("b", &[5, 6], Draw::Normal);
        all.push(case.float("d", &[3, 4, 6], Draw::Normal).terms(15));
    }
    let window = PoolSpec { kernel: [3, 2], stride: [2, 1], padding: [1, 1], dilation: [1, 1], ceil_mode: true };
    let spec = window.clone();
    let avg = Case::new("second/avg_pool2d", move |g, v| {
        gradient(g, v, 0, |g, v| g.avg_pool2d(v[0], &spec, AvgDivisor::ExcludePadding))
    });
    all.push(avg.float("x", &[2, 6, 5, 3], Draw::Normal).float("d", &[2, 4, 6, 3], Draw::Normal));
    let max = Case::new("second/max_pool2d", move |g, v| gradient(g, v, 0, |g, v| g.max_pool2d(v[0], &window)));
    let max = max.fixed("x", &[2, 6, 5, 3], DType::F32, Draw::Ties(0.5));
    all.push(max.fixed("d", &[2, 4, 6, 3], DType::F32, Draw::Normal));
    let slice = Case::new("second/slice", |g, v| gradient(g, v, 0, |g, v| g.slice(v[0], &[4, 1], &[2, 3], &[-3, 2])));
    all.push(slice.float("x", &[5, 7], Draw::Normal).float("d", &[2, 3], Draw::Normal).exact());
    all
}

fn normalising() -> Vec<Case> {
    let normal = |case: Case, shape: &[usize]| case.float("x", shape, Draw::Normal);
    let softmax = Case::new("second/softmax", |g, v| gradient(g, v, 0, |g, v| g.softmax(v[0], 1, false)));
    let log = Case::new("second/log_softmax", |g, v| gradient(g, v, 0, |g, v| g.softmax(v[0], 1, true)));
    let batch =
        Case::new("second/batch_norm", |g, v| gradient(g, v, 0, |g, v| Ok(g.batch_norm(v[0], v[1], v[2], 1e-2)?.0)));
    let batch = normal(batch, &[4, 3, 2]).float("scale", &[2], Draw::Normal).float("shift", &[2], Draw::Normal);
    let layer =
        Case::new("second/layer_norm", |g, v| gradient(g, v, 0, |g, v| g.layer_norm(v[0], 1, None, None, 1e-2)));
    let gelu = Case::new("second/gelu", |g, v| gradient(g, v, 0, |g, v| g.unary(Elementwise::Gelu, v[0])));
    let entropy = Case::new("second/cross_entropy", |g, v| {
        let options = CrossEntropyOptions {
            label_smoothing: 0.1,
            ignore_index: 1,
            class_weight: Some(v[2]),
            reduction: Reduction::None,
        };
        gradient(g, v, 0, |g, v| g.cross_entropy(v[0], v[1], &options))
    });
    let entropy = entropy.fixed("logits", &[6, 5], DType::F32, Draw::Normal);
    let entropy = entropy.fixed("target", &[6], DType::I32, Draw::Integers(0, 5));
    let entropy = entropy.fixed("class_weight", &[5], DType::F32, Draw::Uniform(0.2, 3.0));
    vec![
        normal(softmax, &[4, 5]).float("d", &[4, 5], Draw::Normal),
        normal(log, &[4, 5]).float("d", &[4, 5], Draw::Normal),
        batch.float("d", &[4, 3, 2], Draw::Normal),
        normal(layer, &[4, 7]).float("d", &[4, 7], Draw::Normal),
        normal(gelu, &[5, 6]).float("d", &[5, 6], Draw::Normal),
        entropy.fixed("d", &[6], DType::F32, Draw::Normal),
    ]
}

fn indexing() -> Vec<Case> {
    let gather = Case::new("second/gather", |g, v| gradient(g, v, 0, |g, v| g.gather(v[0], v[1], 1)));
    let gather = gather.float("x", &[4, 5], Draw::Normal).fixed("index", &[4, 9], DType::I32, Draw::Integers(0, 5));
    let select = Case::new("second/index_select", |g, v| gradient(g, v, 0, |g, v| g.index_select(v[0], v[1], 0)));
    let select = select.float("x", &[4, 5], Draw::Normal).fixed("index", &[9], DType::I32, Draw::Integers(0, 4));
    vec![gather.float("d", &[4, 9], Draw::Normal), select.float("d", &[9, 5], Draw::Normal)]
}
