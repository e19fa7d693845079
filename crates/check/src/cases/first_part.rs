//! Kernels whose results are the first part of a larger tensor: joined along the first axis, padded behind, or the gradient of a
//! leading slice. Their row-major results end before the tensor does.

use crate::case::Case;
use crate::draw::Draw;
use chiaro_graph::{AvgDivisor, ConvSpec, Graph, PoolSpec, Result, Var};

const PADDED: ConvSpec = ConvSpec { stride: [1, 1], padding: [1; 4], dilation: [1, 1], groups: 1 };

/// The value, its ReLU and something else joined along the first axis.
fn joined(g: &mut Graph, y: Var, other: Var) -> Result<Var> {
    let y = g.relu(y)?;
    g.concat(&[y, other], 0)
}

pub(super) fn cases() -> Vec<Case> {
    let mut all = convolutions();
    all.push(
        Case::new("first_part/matmul", |g, v| {
            let y = g.matmul(v[0], v[1], false, true)?;
            joined(g, y, v[2])
        })
        .float("a", &[5, 4], Draw::Normal)
        .float("b", &[3, 4], Draw::Normal)
        .float("other", &[2, 3], Draw::Normal)
        .terms(4),
    );
    all.push(
        Case::new("first_part/matmul_of_leading_batches", |g, v| {
            let a = g.narrow(v[0], 0, 0, 2)?;
            let y = g.matmul(a, v[1], false, false)?;
            g.pad(y, &[0; 3], &[1, 0, 0], 0.5)
        })
        .float("a", &[3, 5, 4], Draw::Normal)
        .float("b", &[4, 6], Draw::Normal)
        .terms(4),
    );
    all.push(
        Case::new("first_part/reduction", |g, v| {
            let y = g.sum(v[0], &[1], false)?;
            joined(g, y, v[1])
        })
        .float("x", &[6, 30], Draw::Normal)
        .float("other", &[3], Draw::Normal)
        .terms(30),
    );
    all.push(
        Case::new("first_part/softmax", |g, v| {
            let y = g.softmax(v[0], 1, false)?;
            g.concat(&[y, v[1]], 0)
        })
        .float("x", &[3, 7], Draw::Normal)
        .float("other", &[2, 7], Draw::Normal),
    );
    all.push(
        Case::new("first_part/pools_of_leading_images", |g, v| {
            let x = g.narrow(v[0], 0, 0, 1)?;
            let spec = PoolSpec::square(2);
            let (y, z) = (g.max_pool2d(x, &spec)?, g.avg_pool2d(x, &spec, AvgDivisor::IncludePadding)?);
            g.concat(&[y, z], 0)
        })
        .float("x", &[3, 6, 4, 5], Draw::Normal),
    );
    all
}

fn convolutions() -> Vec<Case> {
    let conv =
        |name: &str, build: fn(&mut Graph, &[Var]) -> Result<Var>| Case::new(format!("first_part/{name}"), build);
    let joined_conv = |g: &mut Graph, v: &[Var]| {
        let y = g.conv2d(v[0], v[1], &PADDED)?;
        joined(g, y, v[2])
    };
    let of_leading_images = |g: &mut Graph, v: &[Var]| {
        let x = g.narrow(v[0], 0, 0, 1)?;
        g.conv2d(x, v[1], &PADDED)
    };
    let padded_behind = |g: &mut Graph, v: &[Var]| {
        let y = g.conv2d(v[0], v[1], &PADDED)?;
        g.pad(y, &[0; 4], &[1, 0, 0, 0], 2.0)
    };
    let transposed = |g: &mut Graph, v: &[Var]| {
        let y = g.conv_transpose2d(v[0], v[1], &ConvSpec { stride: [2, 2], ..PADDED }, [1, 0])?;
        joined(g, y, v[2])
    };
    let depthwise = |g: &mut Graph, v: &[Var]| {
        let x = g.narrow(v[0], 0, 0, 1)?;
        let y = g.conv2d(x, v[1], &ConvSpec { groups: 4, ..PADDED })?;
        joined(g, y, v[2])
    };
    vec![
        conv("conv2d", joined_conv)
            .float("x", &[1, 3, 3, 2], Draw::Normal)
            .float("weight", &[2, 3, 3, 2], Draw::Normal)
            .float("other", &[1, 3, 3, 2], Draw::Normal)
            .terms(18),
        conv("conv2d_by_winograd", joined_conv)
            .float("x", &[1, 6, 5, 32], Draw::Normal)
            .float("weight", &[32, 3, 3, 32], Draw::Normal)
            .float("other", &[1, 6, 5, 32], Draw::Normal)
            .terms(288),
        conv("conv2d_of_leading_images", of_leading_images)
            .float("x", &[2, 4, 4, 2], Draw::Normal)
            .float("weight", &[3, 3, 3, 2], Draw::Normal)
            .terms(18),
        conv("conv2d_padded_behind", padded_behind)
            .float("x", &[2, 4, 5, 20], Draw::Normal)
            .float("weight", &[3, 3, 3, 20], Draw::Normal)
            .terms(180),
        conv("conv_transpose2d", transposed)
            .float("x", &[1, 3, 3, 4], Draw::Normal)
            .float("weight", &[4, 3, 3, 2], Draw::Normal)
            .float("other", &[1, 6, 5, 2], Draw::Normal)
            .terms(36),
        conv("depthwise", depthwise)
            .float("x", &[2, 4, 3, 4], Draw::Normal)
            .float("weight", &[4, 3, 3, 1], Draw::Normal)
            .float("other", &[2, 4, 3, 4], Draw::Normal)
            .terms(9),
    ]
}
