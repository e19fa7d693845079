//! Three small models' losses as cases, for gradient checks and for comparing backends on whole networks.

use crate::case::Case;
use crate::draw::Draw;
use chiaro_graph::{ConvSpec, CrossEntropyOptions, DType, Elementwise, Graph, PoolSpec, Result, Var};

/// LeNet, a residual net with batch norm, and a depthwise net with group and layer norm.
pub fn models() -> Vec<Case> {
    [lenet(), residual(), depthwise()].into_iter().map(Case::network).collect()
}

/// Draws a weight with variance 2 / fan-in, which keeps activations near 1.
fn weight(case: Case, name: &str, shape: &[usize]) -> Case {
    let fan_in: usize = shape[1..].iter().product();
    case.float(name, shape, Draw::NormalAround(0.0, (2.0 / fan_in as f64).sqrt()))
}

fn data(case: Case, images: &[usize], classes: i64) -> Case {
    case.fixed("images", images, DType::F32, Draw::Normal).fixed(
        "labels",
        &images[..1],
        DType::I32,
        Draw::Integers(0, classes),
    )
}

fn loss(g: &mut Graph, logits: Var, labels: Var) -> Result<Var> {
    let options = CrossEntropyOptions { label_smoothing: 0.05, ..CrossEntropyOptions::default() };
    g.cross_entropy(logits, labels, &options)
}

fn conv(g: &mut Graph, x: Var, w: Var, stride: usize) -> Result<Var> {
    g.conv2d(x, w, &ConvSpec { stride: [stride; 2], padding: [1; 4], ..ConvSpec::default() })
}

fn lenet() -> Case {
    let case = Case::new("model/lenet", |g, v| {
        let &[x, t, w1, b1, w2, b2, w3, b3, w4, b4] = v else { return Ok(v[0]) };
        let mut y = x;
        for (i, (w, b)) in [(w1, b1), (w2, b2)].into_iter().enumerate() {
            g.push_scope(&format!("conv{i}"));
            y = g.conv2d(y, w, &ConvSpec { padding: [2; 4], ..ConvSpec::default() })?;
            y = g.add(y, b)?;
            y = g.relu(y)?;
            y = g.max_pool2d(y, &PoolSpec::square(2))?;
            g.pop_scope();
        }
        let n = g.shape(y)[0];
        let features = g.shape(y)[1..].iter().product();
        let y = g.reshape(y, &[n, features])?;
        let y = g.linear(y, w3, Some(b3))?;
        let y = g.relu(y)?;
        let logits = g.linear(y, w4, Some(b4))?;
        loss(g, logits, t)
    });
    let mut case = data(case, &[5, 12, 12, 2], 10);
    for (i, shape) in [&[4, 5, 5, 2][..], &[6, 5, 5, 4], &[11, 54], &[10, 11]].into_iter().enumerate() {
        case = weight(case, &format!("weight{i}"), shape);
        case = case.float(&format!("bias{i}"), &shape[..1], Draw::NormalAround(0.0, 0.1));
    }
    case
}

/// Convolution, batch norm, and perhaps relu.
fn conv_norm(g: &mut Graph, x: Var, p: &[Var], stride: usize, relu: bool) -> Result<Var> {
    let y = conv(g, x, p[0], stride)?;
    let (y, _) = g.batch_norm(y, p[1], p[2], 1e-5)?;
    if relu { g.relu(y) } else { Ok(y) }
}

fn residual() -> Case {
    let case = Case::new("model/residual", |g, v| {
        let (x, t, p) = (v[0], v[1], &v[2..]);
        let stem = conv_norm(g, x, &p[..3], 1, true)?;
        let mut y = stem;
        // An identity block, then one whose shortcut is projected with stride 2.
        for (first, stride) in [(3, 1), (9, 2)] {
            let inner = conv_norm(g, y, &p[first..first + 3], stride, true)?;
            let inner = conv_norm(g, inner, &p[first + 3..first + 6], 1, false)?;
            let shortcut = if stride == 1 { y } else { conv_norm(g, y, &p[15..18], stride, false)? };
            let sum = g.add(inner, shortcut)?;
            y = g.relu(sum)?;
        }
        let pooled = g.global_avg_pool2d(y)?;
        let logits = g.linear(pooled, p[18], Some(p[19]))?;
        loss(g, logits, t)
    });
    let mut case = data(case, &[4, 8, 7, 3], 5);
    let widths = [(4, 3, 3), (4, 3, 4), (4, 3, 4), (6, 3, 4), (6, 3, 6), (6, 3, 4)];
    for (i, (o, k, inputs)) in widths.into_iter().enumerate() {
        case = weight(case, &format!("conv{i}"), &[o, k, k, inputs]);
        case = case.float(&format!("scale{i}"), &[o], Draw::NormalAround(1.0, 0.2));
        case = case.float(&format!("shift{i}"), &[o], Draw::NormalAround(0.0, 0.2));
    }
    weight(case, "fc", &[5, 6]).float("fc_bias", &[5], Draw::NormalAround(0.0, 0.1))
}

fn depthwise() -> Case {
    let case = Case::new("model/depthwise", |g, v| {
        let (x, t, p) = (v[0], v[1], &v[2..]);
        let stem = conv(g, x, p[0], 2)?;
        let y = g.unary(Elementwise::Silu, stem)?;
        let spec = ConvSpec { padding: [1, 2, 2, 1], groups: 6, ..ConvSpec::default() };
        let y = g.conv2d(y, p[1], &spec)?;
        let y = g.group_norm(y, 3, Some(p[2]), Some(p[3]), 1e-5)?;
        let y = g.unary(Elementwise::Hardswish, y)?;
        let y = g.conv2d(y, p[4], &ConvSpec::default())?;
        let y = g.layer_norm(y, 1, Some(p[5]), Some(p[6]), 1e-5)?;
        let y = g.unary(Elementwise::Gelu, y)?;
        let y = g.adaptive_avg_pool2d(y, [2, 2])?;
        let n = g.shape(y)[0];
        let features = g.shape(y)[1..].iter().product();
        let y = g.reshape(y, &[n, features])?;
        let logits = g.linear(y, p[7], None)?;
        loss(g, logits, t)
    });
    let case = data(case, &[3, 9, 10, 3], 4);
    let case = weight(weight(case, "stem", &[6, 3, 3, 3]), "depthwise", &[6, 4, 4, 1]);
    let case = case.float("group_scale", &[6], Draw::NormalAround(1.0, 0.2));
    let case = case.float("group_shift", &[6], Draw::NormalAround(0.0, 0.2));
    let case = weight(case, "pointwise", &[8, 1, 1, 6]);
    let case = case.float("layer_scale", &[8], Draw::NormalAround(1.0, 0.2));
    let case = case.float("layer_shift", &[8], Draw::NormalAround(0.0, 0.2));
    weight(case, "fc", &[4, 32])
}
