//! Values stored in 16 bits; arithmetic is done in more.

use crate::case::{Case, Kink};
use crate::draw::Draw;
use chiaro_graph::{AvgDivisor, ConvSpec, CrossEntropyOptions, DType, Elementwise, Graph, PoolSpec, ReduceKind, Var};

pub(super) fn cases() -> Vec<Case> {
    [elementwise(), products(), images(), rows(), mixed()].into_iter().flatten().map(Case::half).collect()
}

fn half(case: Case, name: &str, shape: &[usize]) -> Case {
    case.input(name, shape, DType::F16, Draw::Normal, true)
}

fn elementwise() -> Vec<Case> {
    let chain = Case::new("half/chain", |g, v| {
        let y = g.mul(v[0], v[1])?;
        let y = g.unary(Elementwise::Sigmoid, y)?;
        g.add(y, v[0])
    });
    let cast = Case::new("half/mixed_with_f32", |g, v| {
        let wide = g.cast(v[0], DType::F32)?;
        let y = g.mul(wide, v[1])?;
        g.cast(y, DType::F16)
    });
    let odd = Case::new("half/odd_count_transposed", |g, v| g.transpose(v[0], &[1, 0]));
    let slices = Case::new("half/slices_joined", |g, v| {
        let (a, b) = (g.narrow(v[0], 0, 1, 4)?, g.narrow(v[0], 0, 4, 7)?);
        let y = g.matmul(a, b, false, true)?;
        let padded = g.pad(a, &[1, 0], &[0, 2], 0.5)?;
        let y = g.pad(y, &[0, 0], &[0, g.shape(padded)[1] - 3], -1.0)?;
        g.concat(&[y, padded], 0)
    });
    let clipped = Case::new("half/clamp_of_sum", |g, v| {
        let y = g.add(v[0], v[1])?;
        let y = g.relu(y)?;
        g.clamp(y, None, Some(1.5))
    });
    vec![
        half(half(chain, "x", &[3, 7]), "y", &[7]),
        half(cast, "x", &[5, 3]).float("y", &[3], Draw::Normal),
        half(odd, "x", &[3, 5]),
        half(slices, "x", &[7, 64]),
        half(half(clipped, "x", &[6, 8]), "y", &[6, 8]),
    ]
}

fn products() -> Vec<Case> {
    let matmul = Case::new("half/matmul", |g, v| g.matmul(v[0], v[1], false, true));
    let mut all = vec![half(half(matmul, "a", &[9, 14]), "b", &[5, 14])];
    let plain = ConvSpec::default();
    let padded = ConvSpec { padding: [1; 4], ..plain.clone() };
    // Name, image, weight, geometry.
    let table: [(&str, [usize; 4], [usize; 4], ConvSpec); 7] = [
        ("conv2d", [2, 6, 5, 4], [6, 3, 3, 4], ConvSpec { stride: [2, 2], ..padded.clone() }),
        ("conv2d_three_channels", [2, 7, 6, 3], [5, 3, 3, 3], padded.clone()),
        ("conv2d_wide", [2, 6, 6, 16], [32, 3, 3, 16], padded.clone()),
        ("conv2d_projection", [2, 6, 6, 8], [12, 1, 1, 8], ConvSpec { stride: [2, 2], ..plain.clone() }),
        ("conv2d_groups", [2, 5, 5, 6], [4, 3, 3, 3], ConvSpec { groups: 2, ..padded.clone() }),
        ("conv2d_depthwise", [2, 5, 6, 5], [5, 3, 3, 1], ConvSpec { groups: 5, ..padded }),
        ("conv2d_pointwise", [2, 4, 5, 6], [7, 1, 1, 6], plain),
    ];
    for (name, x, w, spec) in table {
        let case = Case::new(format!("half/{name}"), move |g, v| g.conv2d(v[0], v[1], &spec));
        all.push(half(half(case, "x", &x), "weight", &w));
    }
    all
}

fn images() -> Vec<Case> {
    let max = Case::new("half/max_pool2d", |g, v| g.max_pool2d(v[0], &PoolSpec::square(2)));
    let overlapping = Case::new("half/max_pool2d_of_relu", |g, v| {
        let spec = PoolSpec { kernel: [3; 2], stride: [2; 2], padding: [1; 2], ..PoolSpec::square(3) };
        let y = g.relu(v[0])?;
        g.max_pool2d(y, &spec)
    });
    let average =
        Case::new("half/avg_pool2d", |g, v| g.avg_pool2d(v[0], &PoolSpec::square(2), AvgDivisor::IncludePadding));
    let global = Case::new("half/global_avg_pool2d", |g, v| g.global_avg_pool2d(v[0]));
    let norm = Case::new("half/batch_norm", |g, v| Ok(g.batch_norm(v[0], v[1], v[2], 1e-5)?.0));
    let moments = Case::new("half/batch_norm_moments", |g, v| {
        let (one, zero) = (g.full(&[6], 1.0, DType::F32)?, g.full(&[6], 0.0, DType::F32)?);
        Ok(g.batch_norm(v[0], one, zero, 1e-5)?.1)
    });
    let fixed = Case::new("half/normalise", |g, v| {
        let variance = g.unary(Elementwise::Square, v[2])?;
        g.normalise(v[0], v[1], variance, Some(v[1]), Some(v[2]), 1e-3)
    });
    let channels = |case: Case, shape: &[usize]| {
        let c = [shape[3]];
        half(case, "x", shape).float("scale", &c, Draw::NormalAround(1.0, 0.5)).float("shift", &c, Draw::Normal)
    };
    vec![
        half(max, "x", &[2, 6, 4, 3]),
        half(overlapping, "x", &[2, 6, 7, 4]).kink(Kink::Convention),
        half(average, "x", &[2, 6, 4, 4]),
        half(global, "x", &[3, 5, 4, 6]),
        channels(norm, &[3, 4, 5, 6]),
        half(moments, "x", &[3, 4, 5, 6]),
        channels(fixed, &[3, 4, 5, 6]),
    ]
}

fn rows() -> Vec<Case> {
    let sum = Case::new("half/sum", |g, v| g.sum(v[0], &[0], false));
    let variance = Case::new("half/var", |g, v| g.var(v[0], &[0], false, 1.0));
    let softmax = Case::new("half/softmax", |g, v| g.softmax(v[0], 1, false));
    let layer_norm = Case::new("half/layer_norm", |g, v| g.layer_norm(v[0], 1, None, None, 1e-5));
    let largest = Case::new("half/max_of_product", |g, v| {
        let y = g.mul(v[0], v[1])?;
        g.reduce(ReduceKind::Max, y, &[1], false)
    });
    let loss = |name: &str, label_smoothing: f64| {
        let case = Case::new(format!("half/{name}"), move |g, v| {
            let class_weight = v.get(2).copied();
            let options = CrossEntropyOptions { class_weight, label_smoothing, ..CrossEntropyOptions::default() };
            g.cross_entropy(v[0], v[1], &options)
        });
        half(case, "logits", &[13, 7]).fixed("target", &[13], DType::I32, Draw::Integers(0, 7))
    };
    let weights = Draw::Uniform(0.2, 3.0);
    vec![
        half(sum, "x", &[17, 5]),
        half(variance, "x", &[17, 5]),
        half(softmax, "x", &[4, 9]),
        half(layer_norm, "x", &[4, 40]),
        half(half(largest, "x", &[5, 11]), "y", &[5, 11]),
        loss("cross_entropy", 0.0),
        loss("cross_entropy_weights_smoothing", 0.1).fixed("class_weight", &[7], DType::F16, weights),
    ]
}

/// 32-bit weights in 16-bit layers: their gradients are 32-bit.
fn mixed() -> Vec<Case> {
    let conv = |g: &mut Graph, x: Var, w: Var| {
        let w = g.cast(w, DType::F16)?;
        g.conv2d(x, w, &ConvSpec { padding: [1; 4], ..ConvSpec::default() })
    };
    let master = Case::new("half/conv2d_of_f32_weight", move |g, v| conv(g, v[0], v[1]));
    let shared = Case::new("half/weight_used_twice", move |g, v| {
        let y = conv(g, v[0], v[1])?;
        let y = g.unary(Elementwise::Tanh, y)?;
        conv(g, y, v[1])
    });
    let dense = Case::new("half/linear_of_f32_weight", |g, v| {
        let w = g.cast(v[1], DType::F16)?;
        let y = g.linear(v[0], w, None)?;
        let wide = g.cast(y, DType::F32)?;
        g.add(wide, v[2])
    });
    let widened = Case::new("half/widened_sum", |g, v| {
        let product = g.mul(v[0], v[1])?;
        let (wide, narrow) = (g.cast(v[0], DType::F32)?, g.reshape(product, &[6, 9])?);
        let wide = g.unary(Elementwise::Tanh, wide)?;
        let rounded = g.cast(wide, DType::F16)?;
        let y = g.add(rounded, narrow)?;
        let y = g.reshape(y, &[3, 18])?;
        g.widened(y)
    });
    let block = Case::new("half/residual_block", move |g, v| {
        let &[x, w, scale, shift] = v else { return Ok(v[0]) };
        let y = conv(g, x, w)?;
        let (y, _) = g.batch_norm(y, scale, shift, 1e-5)?;
        let y = g.relu(y)?;
        let y = conv(g, y, w)?;
        let (y, _) = g.batch_norm(y, shift, scale, 1e-5)?;
        let y = g.add(y, x)?;
        let y = g.relu(y)?;
        g.global_avg_pool2d(y)
    });
    let spread = Draw::NormalAround(0.0, 0.2);
    vec![
        half(master, "x", &[2, 5, 5, 4]).float("weight", &[6, 3, 3, 4], Draw::Normal),
        half(shared, "x", &[2, 5, 5, 4]).float("weight", &[4, 3, 3, 4], spread.clone()),
        half(dense, "x", &[6, 10]).float("weight", &[7, 10], Draw::Normal).float("bias", &[7], Draw::Normal),
        half(half(widened, "a", &[6, 9]), "b", &[9]),
        half(block, "x", &[4, 6, 6, 8])
            .float("weight", &[8, 3, 3, 8], spread)
            .float("scale", &[8], Draw::NormalAround(1.0, 0.2))
            .float("shift", &[8], Draw::NormalAround(0.5, 0.2)),
    ]
}
