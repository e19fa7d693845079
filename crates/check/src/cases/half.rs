//! Values stored in 16 bits; arithmetic is done in more.

use crate::case::Case;
use crate::draw::Draw;
use chiaro_graph::{ConvSpec, DType, PoolSpec};

pub(super) fn cases() -> Vec<Case> {
    let x = |case: Case, name: &str, shape: &[usize]| case.input(name, shape, DType::F16, Draw::Normal, true);
    let chain = Case::new("half/chain", |g, v| {
        let y = g.mul(v[0], v[1])?;
        let y = g.unary(chiaro_graph::Elementwise::Sigmoid, y)?;
        g.add(y, v[0])
    });
    let cast = Case::new("half/mixed_with_f32", |g, v| {
        let wide = g.cast(v[0], DType::F32);
        let y = g.mul(wide, v[1])?;
        Ok(g.cast(y, DType::F16))
    });
    let matmul = Case::new("half/matmul", |g, v| g.matmul(v[0], v[1], false, true));
    let conv = Case::new("half/conv2d", |g, v| {
        g.conv2d(v[0], v[1], &ConvSpec { stride: [2, 2], padding: [1; 4], ..ConvSpec::default() })
    });
    let sum = Case::new("half/sum", |g, v| g.sum(v[0], &[0], false));
    let pool = Case::new("half/max_pool2d", |g, v| g.max_pool2d(v[0], &PoolSpec::square(2)));
    let softmax = Case::new("half/softmax", |g, v| g.softmax(v[0], 1, false));
    let odd = Case::new("half/odd_count_transposed", |g, v| g.transpose(v[0], &[1, 0]));
    let all = vec![
        x(x(chain, "x", &[3, 7]), "y", &[7]),
        x(cast, "x", &[5, 3]).float("y", &[3], Draw::Normal),
        x(x(matmul, "a", &[9, 14]), "b", &[5, 14]),
        x(x(conv, "x", &[2, 6, 5, 4]), "weight", &[6, 3, 3, 4]),
        x(sum, "x", &[17, 5]),
        x(pool, "x", &[2, 6, 4, 3]),
        x(softmax, "x", &[4, 9]),
        x(odd, "x", &[3, 5]),
    ];
    all.into_iter().map(Case::half).collect()
}
