//! Pooling: overlapping, padded, ceil mode, dilated, with ties; every divisor of averages.

use crate::case::{Case, Kink};
use crate::draw::Draw;
use chiaro_graph::{AvgDivisor, PoolSpec};

/// x `[N,H,W,C]`, kernel, stride, padding, dilation, ceil mode.
type PoolRow = (&'static str, [usize; 4], [usize; 2], [usize; 2], [usize; 2], [usize; 2], bool);

const WINDOWS: &[PoolRow] = &[
    ("k2", [2, 8, 6, 4], [2, 2], [2, 2], [0, 0], [1, 1], false),
    ("k2_odd", [2, 9, 7, 3], [2, 2], [2, 2], [0, 0], [1, 1], false),
    ("k3_s2_p1", [2, 8, 9, 5], [3, 3], [2, 2], [1, 1], [1, 1], false),
    ("k3_s1_p1_overlap", [1, 6, 7, 3], [3, 3], [1, 1], [1, 1], [1, 1], false),
    ("k3_s2_ceil", [2, 8, 8, 3], [3, 3], [2, 2], [0, 0], [1, 1], true),
    ("k2_ceil_odd", [2, 7, 9, 3], [2, 2], [2, 2], [0, 0], [1, 1], true),
    ("k3_s2_p1_ceil", [1, 8, 6, 4], [3, 3], [2, 2], [1, 1], [1, 1], true),
    ("k2_s3_ceil_drops_the_last", [1, 7, 5, 2], [2, 2], [3, 3], [1, 1], [1, 1], true),
    ("k3x2_s2x1", [2, 9, 5, 3], [3, 2], [2, 1], [1, 0], [1, 1], false),
    ("k3_dilated", [1, 9, 8, 3], [3, 3], [2, 1], [1, 1], [2, 2], false),
    ("whole_image", [3, 6, 6, 5], [6, 6], [6, 6], [0, 0], [1, 1], false),
];

pub(super) fn cases() -> Vec<Case> {
    let mut all = vec![];
    for &(name, x, kernel, stride, padding, dilation, ceil_mode) in WINDOWS {
        let spec = PoolSpec { kernel, stride, padding, dilation, ceil_mode };
        for (variant, draw, kink) in [("", Draw::Normal, Kink::None), ("_ties", Draw::Ties(0.5), Kink::FirstOfEquals)] {
            let s = spec.clone();
            let case = Case::new(format!("max_pool2d/{name}{variant}"), move |g, v| g.max_pool2d(v[0], &s));
            all.push(case.float("x", &x, draw.clone()).exact().kink(kink));
            let s = spec.clone();
            let case = Case::new(format!("max_pool2d/{name}{variant}_index"), move |g, v| g.max_pool2d_index(v[0], &s));
            all.push(case.float("x", &x, draw).exact());
        }
        if dilation != [1, 1] {
            continue;
        }
        for (by, divisor) in [
            ("include", AvgDivisor::IncludePadding),
            ("exclude", AvgDivisor::ExcludePadding),
            ("fixed", AvgDivisor::Fixed(3)),
        ] {
            let s = spec.clone();
            let case = Case::new(format!("avg_pool2d/{name}_{by}"), move |g, v| g.avg_pool2d(v[0], &s, divisor));
            all.push(case.float("x", &x, Draw::Normal).terms(kernel[0] * kernel[1]));
        }
    }
    all.push(
        // Taps at -1 and 3 of a row of three: minus infinity, as PyTorch gives.
        Case::new("max_pool2d/window_wholly_in_padding", |g, v| {
            let spec = PoolSpec { padding: [1; 2], dilation: [4; 2], stride: [1; 2], ..PoolSpec::square(2) };
            let y = g.max_pool2d(v[0], &spec)?;
            let x = g.slice(v[0], &[0; 4], &[1, 3, 2, 2], &[1; 4])?;
            g.concat(&[x, y], 2)
        })
        .float("x", &[1, 5, 3, 2], Draw::Normal)
        .exact()
        .kink(Kink::Convention),
    );
    all.push(
        Case::new("avg_pool2d/global", |g, v| g.global_avg_pool2d(v[0]))
            .float("x", &[3, 5, 7, 6], Draw::Normal)
            .terms(35),
    );
    all
}
