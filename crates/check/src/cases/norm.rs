//! Normalisation and softmax, with data whose mean is many times its spread.

use crate::case::Case;
use crate::draw::Draw;

pub(super) fn cases() -> Vec<Case> {
    let mut all = batch_norms();
    all.extend(others());
    all.extend(softmaxes());
    all
}

fn batch_norms() -> Vec<Case> {
    let table: &[(&str, &[usize], Draw, f64)] = &[
        ("images", &[3, 4, 5, 6], Draw::Normal, 1e-5),
        ("rows", &[16, 7], Draw::Normal, 1e-5),
        ("3d", &[4, 5, 3], Draw::NormalAround(1.0, 2.0), 1e-3),
        ("large_mean", &[4, 5, 5, 3], Draw::NormalAround(10.0, 1.0), 1e-5),
        ("small_variance", &[4, 3, 3, 5], Draw::NormalAround(0.1, 0.02), 1e-3),
        ("many_channels", &[2, 3, 3, 70], Draw::Normal, 1e-5),
    ];
    let mut all = vec![];
    for (name, shape, draw, eps) in table {
        let (c, eps) = ([shape[shape.len() - 1]], *eps);
        let case = Case::new(format!("batch_norm/{name}"), move |g, v| Ok(g.batch_norm(v[0], v[1], v[2], eps)?.0));
        let case = case.float("x", shape, draw.clone());
        all.push(case.float("scale", &c, Draw::NormalAround(1.0, 0.5)).float("shift", &c, Draw::Normal));
        let case = Case::new(format!("batch_norm/{name}_moments"), move |g, v| {
            let (one, zero) = (g.full(&c, 1.0, chiaro_graph::DType::F32)?, g.full(&c, 0.0, chiaro_graph::DType::F32)?);
            Ok(g.batch_norm(v[0], one, zero, eps)?.1)
        });
        all.push(case.float("x", shape, draw.clone()));
    }
    all.push(
        Case::new("batch_norm/then_relu_and_add", |g, v| {
            let (y, _) = g.batch_norm(v[0], v[1], v[2], 1e-5)?;
            let y = g.add(y, v[0])?;
            g.relu(y)
        })
        .float("x", &[3, 4, 4, 5], Draw::Normal)
        .float("scale", &[5], Draw::NormalAround(1.0, 0.5))
        .float("shift", &[5], Draw::Normal),
    );
    all.push(
        Case::new("batch_norm/evaluation", |g, v| g.normalise(v[0], v[1], v[2], Some(v[3]), Some(v[4]), 1e-5))
            .float("x", &[3, 4, 2, 5], Draw::Normal)
            .float("mean", &[5], Draw::Normal)
            .float("variance", &[5], Draw::Uniform(0.3, 2.0))
            .float("scale", &[5], Draw::Normal)
            .float("shift", &[5], Draw::Normal),
    );
    all
}

fn others() -> Vec<Case> {
    let layer = |name: &str, shape: &[usize], axes: usize, draw: Draw| {
        let tail = shape[shape.len() - axes..].to_vec();
        Case::new(format!("layer_norm/{name}"), move |g, v| {
            g.layer_norm(v[0], axes, v.get(1).copied(), v.get(2).copied(), 1e-5)
        })
        .float("x", shape, draw)
        .float("scale", &tail, Draw::NormalAround(1.0, 0.5))
        .float("shift", &tail, Draw::Normal)
    };
    let group = |name: &str, shape: &[usize], groups: usize, draw: Draw| {
        let c = [shape[shape.len() - 1]];
        Case::new(format!("group_norm/{name}"), move |g, v| {
            g.group_norm(v[0], groups, v.get(1).copied(), v.get(2).copied(), 1e-5)
        })
        .float("x", shape, draw)
        .float("scale", &c, Draw::NormalAround(1.0, 0.5))
        .float("shift", &c, Draw::Normal)
    };
    vec![
        layer("last", &[6, 21], 1, Draw::Normal),
        layer("last_three", &[4, 3, 5, 2], 3, Draw::Normal),
        layer("large_mean", &[5, 48], 1, Draw::NormalAround(10.0, 1.0)),
        layer("long", &[3, 300], 1, Draw::Normal),
        Case::new("layer_norm/plain", |g, v| g.layer_norm(v[0], 1, None, None, 0.1)).float("x", &[5, 16], Draw::Normal),
        group("two", &[3, 5, 4, 8], 2, Draw::Normal),
        group("one", &[2, 3, 4, 6], 1, Draw::Normal),
        group("instance", &[3, 4, 4, 6], 6, Draw::NormalAround(3.0, 1.0)),
        Case::new("group_norm/plain", |g, v| g.group_norm(v[0], 3, None, None, 0.1)).float(
            "x",
            &[2, 5, 9],
            Draw::Normal,
        ),
    ]
}

fn softmaxes() -> Vec<Case> {
    let table: &[(&str, &[usize], usize, Draw)] = &[
        ("last", &[6, 10], 1, Draw::Normal),
        ("first", &[7, 5], 0, Draw::Normal),
        ("middle", &[2, 5, 4, 3], 1, Draw::Normal),
        ("wide", &[3, 300], 1, Draw::NormalAround(0.0, 3.0)),
        ("large_logits", &[6, 12], 1, Draw::NormalAround(0.0, 40.0)),
        ("far_from_zero", &[4, 9], 1, Draw::NormalAround(1000.0, 2.0)),
        ("one_class", &[4, 1], 1, Draw::Normal),
    ];
    let mut all = vec![];
    for (name, shape, axis, draw) in table {
        for log in [false, true] {
            let (axis, kind) = (*axis, if log { "log_softmax" } else { "softmax" });
            let case = Case::new(format!("{kind}/{name}"), move |g, v| g.softmax(v[0], axis, log));
            all.push(case.float("x", shape, draw.clone()));
        }
    }
    all
}
