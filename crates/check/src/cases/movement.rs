//! Reshape, transpose, broadcast, slice, pad, concat, and constants.

use crate::case::Case;
use crate::draw::Draw;
use chiaro_graph::{DType, Tensor};

pub(super) fn cases() -> Vec<Case> {
    let mut all = vec![
        Case::new("movement/reshape", |g, v| g.reshape(v[0], &[6, 10])).float("x", &[3, 4, 5], Draw::Normal),
        Case::new("movement/flatten_to_number", |g, v| g.reshape(v[0], &[])).float("x", &[1, 1], Draw::Normal),
        Case::new("movement/broadcast_middle", |g, v| g.broadcast_to(v[0], &[2, 3, 4, 5])).float(
            "x",
            &[3, 1, 5],
            Draw::Normal,
        ),
        Case::new("movement/narrow", |g, v| g.narrow(v[0], 1, 2, 5)).float("x", &[3, 7, 2], Draw::Normal),
        Case::new("movement/concat_three", |g, v| g.concat(v, 1))
            .float("x", &[2, 3, 2], Draw::Normal)
            .float("y", &[2, 1, 2], Draw::Normal)
            .float("z", &[2, 4, 2], Draw::Normal),
        Case::new("movement/concat_of_itself", |g, v| g.concat(&[v[0], v[0], v[1]], 0))
            .float("x", &[2, 3], Draw::Normal)
            .float("y", &[1, 3], Draw::Normal),
        Case::new("movement/constant", |g, v| {
            let c = Tensor::f32(vec![3], vec![0.5, -2.0, 3.0]).map_or(Ok(v[0]), |t| g.constant(t))?;
            g.mul(v[0], c)
        })
        .float("x", &[4, 3], Draw::Normal),
        Case::new("movement/iota", |g, v| {
            let i = g.iota(9)?;
            let i = g.cast(i, DType::F32)?;
            g.mul(v[0], i)
        })
        .float("x", &[2, 9], Draw::Normal),
        Case::new("movement/scalars", |g, v| {
            let full = g.full(&[2, 3], 0.1, DType::F32)?;
            g.sub(v[0], full)
        })
        .float("x", &[2, 3], Draw::Normal),
    ];
    all.extend(transposes());
    all.extend(slices());
    all.extend(pads());
    let mut all: Vec<Case> = all
        .into_iter()
        .map(|c| if c.name.ends_with("scalars") || c.name.ends_with("iota") { c } else { c.exact() })
        .collect();
    all.extend(cuts());
    all
}

/// Values that are cut into many parts, whose cotangents are joined where they lie side by side and added where they do not.
fn cuts() -> Vec<Case> {
    // Extent along the axis, where parts begin, and how long they are.
    type Row = (&'static str, usize, &'static [usize], usize);
    let table: &[Row] = &[
        ("into_steps", 9, &[0, 1, 2, 3, 4, 5, 6, 7, 8], 1),
        ("backwards", 16, &[14, 12, 10, 8, 6, 4, 2, 0], 2),
        ("with_gaps", 21, &[1, 3, 5, 7, 10, 12, 14, 18], 2),
        ("on_each_other", 12, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 3),
    ];
    let case = |&(name, len, starts, width): &Row| {
        let case = Case::new(format!("movement/cut_{name}"), move |g, v| {
            let mut sum = g.full(&[2, width, 3], 0.0, DType::F32)?;
            for (i, &start) in starts.iter().enumerate() {
                let part = g.narrow(v[0], 1, start, start + width)?;
                let part = g.tanh(part)?;
                let weighed = g.mul(part, 1.0 + 0.5 * i as f64)?;
                sum = g.add(sum, weighed)?;
            }
            Ok(sum)
        });
        case.float("x", &[2, len, 3], Draw::Normal)
    };
    table.iter().map(case).collect()
}

fn transposes() -> Vec<Case> {
    let table: &[(&str, &[usize], &[usize])] = &[
        ("2d", &[5, 8], &[1, 0]),
        ("large_2d", &[67, 130], &[1, 0]),
        ("3d_rotate", &[3, 4, 5], &[2, 0, 1]),
        ("3d_swap_outer", &[3, 4, 5], &[1, 0, 2]),
        ("nchw_to_nhwc", &[2, 3, 4, 5], &[0, 2, 3, 1]),
        ("5d", &[2, 3, 1, 4, 2], &[4, 1, 0, 3, 2]),
    ];
    let one = |&(name, shape, perm): &(&str, &[usize], &'static [usize])| {
        Case::new(format!("movement/transpose_{name}"), move |g, v| g.transpose(v[0], perm)).float(
            "x",
            shape,
            Draw::Normal,
        )
    };
    let mut all: Vec<Case> = table.iter().map(one).collect();
    let integers = Case::new("movement/transpose_i32", |g, v| g.transpose(v[0], &[1, 0]));
    all.push(integers.fixed("x", &[4, 7], DType::I32, Draw::Integers(-99, 99)));
    let bools = Case::new("movement/transpose_bool", |g, v| g.transpose(v[0], &[1, 0]));
    all.push(bools.fixed("x", &[4, 7], DType::Bool, Draw::Bools));
    all
}

fn slices() -> Vec<Case> {
    type Row = (&'static str, &'static [usize], &'static [usize], &'static [usize], &'static [isize]);
    let table: &[Row] = &[
        ("inner", &[6, 9], &[1, 2], &[4, 5], &[1, 1]),
        ("steps", &[7, 10], &[1, 0], &[3, 4], &[2, 3]),
        ("reversed", &[5, 6], &[4, 5], &[5, 6], &[-1, -1]),
        ("negative_steps", &[9, 11], &[8, 9], &[4, 3], &[-2, -4]),
        ("one_element_of_a_step", &[5, 4], &[3, 2], &[1, 2], &[3, -2]),
        ("last_of_4d", &[2, 3, 4, 5], &[1, 0, 3, 1], &[1, 3, 2, 2], &[1, 1, -3, 2]),
    ];
    let one = |&(name, shape, start, len, step): &Row| {
        Case::new(format!("movement/slice_{name}"), move |g, v| g.slice(v[0], start, len, step)).float(
            "x",
            shape,
            Draw::Normal,
        )
    };
    table.iter().map(one).collect()
}

fn pads() -> Vec<Case> {
    type Row = (&'static str, &'static [usize], &'static [usize], &'static [usize], f64);
    let table: &[Row] = &[
        ("2d", &[3, 4], &[1, 0], &[0, 2], 0.0),
        ("image", &[2, 5, 6, 3], &[0, 1, 2, 0], &[0, 2, 1, 0], 0.0),
        ("value", &[2, 3], &[0, 2], &[1, 0], 1.5),
        ("minus_infinity", &[2, 3], &[1, 1], &[1, 1], f64::NEG_INFINITY),
    ];
    let one = |&(name, shape, low, high, value): &Row| {
        let case = Case::new(format!("movement/pad_{name}"), move |g, v| g.pad(v[0], low, high, value));
        // An infinite result has no finite differences.
        case.input("x", shape, DType::F32, Draw::Normal, value.is_finite())
    };
    table.iter().map(one).collect()
}
