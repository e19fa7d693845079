//! Sums and extremes over any axes, positions of extremes, means and variances.

use crate::case::{Case, Kink};
use crate::draw::Draw;
use chiaro_graph::{DType, ReduceKind};

pub(super) fn cases() -> Vec<Case> {
    let mut all = vec![];
    let table: &[(&str, &'static [usize], &'static [usize])] = &[
        ("last", &[5, 9], &[1]),
        ("first", &[7, 6], &[0]),
        ("middle", &[3, 5, 4], &[1]),
        ("outer_and_inner", &[3, 4, 5], &[0, 2]),
        ("channels_kept", &[2, 5, 6, 7], &[0, 1, 2]),
        ("all", &[3, 4, 5], &[0, 1, 2]),
        ("axis_of_1", &[3, 1, 4], &[1]),
        ("long_row", &[2, 1037], &[1]),
        ("many_rows", &[517, 3], &[0]),
    ];
    for &(name, shape, axes) in table {
        for kind in [ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min] {
            let keepdim = shape.len() % 2 == 1;
            let case = Case::new(format!("reduce/{kind:?}_{name}").to_lowercase(), move |g, v| {
                g.reduce(kind, v[0], axes, keepdim)
            });
            let case = case.float("x", shape, Draw::NormalAround(0.3, 1.0));
            let terms = axes.iter().map(|&a| shape[a]).product();
            all.push(if kind == ReduceKind::Sum { case.terms(terms) } else { case.exact() });
        }
    }
    for kind in [ReduceKind::Max, ReduceKind::Min] {
        all.extend(extremes(kind));
    }
    all.push(
        Case::new("reduce/sum_large", |g, v| g.sum_all(v[0])).float("x", &[300, 701], Draw::Normal).terms(300 * 701),
    );
    all.push(
        Case::new("reduce/sum_i32", |g, v| g.sum(v[0], &[1], false))
            .fixed("x", &[4, 21], DType::I32, Draw::Integers(-50, 50))
            .exact(),
    );
    for (dtype, low, high) in [(DType::I32, 1_900_000_000, 2_147_000_000), (DType::U32, 4_000_000_000, 4_294_000_000)] {
        all.push(
            Case::new(format!("reduce/sum_{dtype}_wraps"), |g, v| g.sum(v[0], &[1], false))
                .fixed("x", &[4, 700], dtype, Draw::Integers(low, high))
                .exact(),
        );
    }
    all.push(Case::new("reduce/mean", |g, v| g.mean(v[0], &[0, 2], false)).float("x", &[4, 3, 7], Draw::Normal));
    all.push(Case::new("reduce/var_correction_0", |g, v| g.var(v[0], &[1], false, 0.0)).float(
        "x",
        &[6, 11],
        Draw::Normal,
    ));
    all.push(Case::new("reduce/var_large_mean", |g, v| g.var(v[0], &[0, 2], true, 1.0)).float(
        "x",
        &[4, 3, 16],
        Draw::NormalAround(30.0, 1.0),
    ));
    all
}

fn extremes(kind: ReduceKind) -> Vec<Case> {
    let name = |what: &str| format!("reduce/{what}_{kind:?}").to_lowercase();
    let arg = |what: &str, shape: &'static [usize], axis: usize, draw: Draw| {
        Case::new(name(what), move |g, v| g.arg_reduce(kind, v[0], axis, axis == 0)).float("x", shape, draw).exact()
    };
    vec![
        arg("arg", &[6, 10], 1, Draw::Normal),
        arg("arg_first_axis", &[6, 10], 0, Draw::Normal),
        arg("arg_middle", &[3, 7, 5], 1, Draw::Normal),
        arg("arg_ties", &[8, 12], 1, Draw::Ties(1.0)),
        arg("arg_long", &[2, 1500], 1, Draw::Ties(0.25)),
        Case::new(name("ties"), move |g, v| g.reduce(kind, v[0], &[0], false))
            .float("x", &[6, 12], Draw::Ties(1.0))
            .exact()
            .kink(Kink::Convention),
        Case::new(name("select"), move |g, v| g.select_extreme(kind, v[0], 1, true))
            .float("x", &[5, 9], Draw::Normal)
            .exact(),
        Case::new(name("arg_i32"), move |g, v| g.arg_reduce(kind, v[0], 1, false))
            .fixed("x", &[4, 9], DType::I32, Draw::Integers(2_147_483_600, 2_147_483_648))
            .exact(),
        Case::new(name("arg_u32"), move |g, v| g.arg_reduce(kind, v[0], 0, false))
            .fixed("x", &[9, 5], DType::U32, Draw::Integers(4_294_967_250, 4_294_967_296))
            .exact(),
        Case::new(name("i32"), move |g, v| g.reduce(kind, v[0], &[1], false))
            .fixed("x", &[4, 9], DType::I32, Draw::Integers(-50, 50))
            .exact(),
    ]
}
