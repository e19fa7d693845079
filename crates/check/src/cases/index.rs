//! Selection by index, with repeats, whose gradients accumulate.

use crate::case::Case;
use crate::draw::Draw;
use chiaro_graph::DType;

pub(super) fn cases() -> Vec<Case> {
    // Shape of x, shape of the index, axis.
    type Row = (&'static str, &'static [usize], &'static [usize], usize);
    let gathers: &[Row] = &[
        ("last_repeats", &[6, 5], &[6, 9], 1),
        ("first", &[7, 4], &[5, 4], 0),
        ("middle", &[3, 4, 6], &[3, 2, 6], 1),
        ("one_row", &[1, 9], &[1, 40], 1),
    ];
    let selects: &[Row] = &[
        ("rows_repeats", &[5, 7], &[12], 0),
        ("last", &[3, 4, 6], &[8], 2),
        ("middle", &[3, 4, 6], &[5], 1),
        ("one", &[4, 3], &[1], 0),
    ];
    let mut all = vec![];
    for &(name, x, index, axis) in gathers {
        let case = Case::new(format!("gather/{name}"), move |g, v| g.gather(v[0], v[1], axis));
        let case = case.float("x", x, Draw::Normal);
        all.push(case.fixed("index", index, DType::I32, Draw::Integers(0, x[axis] as i64)).exact());
    }
    for &(name, x, index, axis) in selects {
        let case = Case::new(format!("index_select/{name}"), move |g, v| g.index_select(v[0], v[1], axis));
        let case = case.float("x", x, Draw::Normal);
        all.push(case.fixed("index", index, DType::I32, Draw::Integers(0, x[axis] as i64)).exact());
    }
    for (name, padding) in [("plain", None), ("padding_index", Some(2))] {
        let case = Case::new(format!("embedding/{name}"), move |g, v| g.embedding(v[0], v[1], padding));
        let case = case.float("weight", &[4, 6], Draw::Normal);
        // The rows of the padding index count in the value but have no gradient, which differences would see.
        let kink = if padding.is_some() { crate::case::Kink::Convention } else { crate::case::Kink::None };
        all.push(case.fixed("index", &[3, 10], DType::I32, Draw::Integers(0, 4)).exact().kink(kink));
    }
    let integers = Case::new("gather/i32", |g, v| g.gather(v[0], v[1], 1));
    let integers = integers.fixed("x", &[4, 5], DType::I32, Draw::Integers(-99, 99));
    all.push(integers.fixed("index", &[4, 7], DType::I32, Draw::Integers(0, 5)).exact());
    for dtype in [DType::F32, DType::I32] {
        let case = Case::new(format!("one_hot/{dtype}"), move |g, v| g.one_hot(v[0], 7, dtype));
        all.push(case.fixed("index", &[3, 5], DType::I32, Draw::Integers(0, 7)).exact());
    }
    all
}
