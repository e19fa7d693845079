//! Resizing and adaptive pooling.

use crate::case::Case;
use crate::draw::Draw;
use chiaro_graph::ResizeMode;

pub(super) fn cases() -> Vec<Case> {
    let mut all = vec![];
    let modes = [
        ("nearest", ResizeMode::Nearest),
        ("bilinear", ResizeMode::Bilinear { align_corners: false }),
        ("bilinear_corners", ResizeMode::Bilinear { align_corners: true }),
    ];
    for (x, out) in [([2, 4, 5, 3], [8, 10]), ([2, 5, 4, 2], [7, 9]), ([1, 9, 8, 3], [4, 3]), ([1, 3, 4, 2], [1, 1])] {
        for (name, mode) in modes {
            let case = Case::new(format!("resize2d/{name}_{}x{}_to_{}x{}", x[1], x[2], out[0], out[1]), move |g, v| {
                g.resize2d(v[0], out, mode)
            });
            let case = case.float("x", &x, Draw::Normal);
            all.push(if name == "nearest" { case.exact() } else { case });
        }
    }
    for (x, out) in [([3, 7, 7, 4], [1, 1]), ([2, 8, 8, 3], [2, 2]), ([2, 10, 7, 3], [4, 3]), ([1, 3, 3, 2], [5, 5])] {
        let name = |kind: &str| format!("adaptive_{kind}_pool2d/{}x{}_to_{}x{}", x[1], x[2], out[0], out[1]);
        let avg = Case::new(name("avg"), move |g, v| g.adaptive_avg_pool2d(v[0], out));
        all.push(avg.float("x", &x, Draw::Normal));
        let max = Case::new(name("max"), move |g, v| g.adaptive_max_pool2d(v[0], out));
        all.push(max.float("x", &x, Draw::Normal).exact());
    }
    all
}
