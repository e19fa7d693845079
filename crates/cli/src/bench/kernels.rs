//! Graphs of one kernel each.

use chiaro::graph::{ConvSpec, DType, Elementwise, Graph, Result, Tensor, Var};
use chiaro::nn::{AdamW, Decay, Optimizer, PARAMS};

use super::measure::Case;

/// Images a convolution works on.
const BATCH: usize = 32;

/// All kernel rows.
pub fn all() -> anyhow::Result<Vec<Case>> {
    let mut cases = vec![];
    for n in [256, 512, 1024, 4096] {
        cases.push(kernel(&format!("matmul {n}"), &[&[n, n], &[n, n]], |g, v| g.matmul(v[0], v[1], false, false))?);
    }
    for (model, size, from, to, kernel, stride) in CONVOLUTIONS {
        cases.extend(convolution(model, *size, [*from, *to], *kernel, *stride)?);
    }
    cases.extend(pointwise_and_reductions()?);
    cases.push(optimizer()?);
    Ok(cases)
}

/// Model, image side, channels in and out, kernel, stride.
const CONVOLUTIONS: &[(&str, usize, usize, usize, usize, usize)] = &[
    ("small-cnn", 28, 1, 16, 3, 1),
    ("small-cnn", 14, 16, 32, 3, 1),
    ("small-cnn", 7, 32, 64, 3, 1),
    ("resnet18", 32, 3, 64, 3, 1),
    ("resnet18", 32, 64, 64, 3, 1),
    ("resnet18", 32, 64, 128, 3, 2),
    ("resnet18", 16, 128, 128, 3, 1),
    ("resnet18", 8, 256, 256, 3, 1),
    ("resnet18", 4, 512, 512, 3, 1),
    ("resnet18", 8, 256, 512, 1, 2),
];

/// Values that are no denormals, zeros or ones.
fn values(shape: &[usize], seed: usize) -> Tensor {
    let count: usize = shape.iter().product();
    let data = (0..count).map(|i| ((i * 7919 + seed * 104_729) % 1013) as f32 / 506.5 - 1.0).collect();
    Tensor::f32(shape, data).unwrap_or_else(|| Tensor::zeros(shape, DType::F32))
}

fn kernel(
    name: &str,
    shapes: &[&[usize]],
    build: impl FnOnce(&mut Graph, &[Var]) -> Result<Var>,
) -> anyhow::Result<Case> {
    let mut graph = Graph::new();
    let mut vars = vec![];
    for (i, shape) in shapes.iter().enumerate() {
        vars.push(graph.input(&format!("x{i}"), shape, DType::F32)?);
    }
    let result = build(&mut graph, &vars)?;
    graph.output("result", result)?;
    let inputs = shapes.iter().enumerate().map(|(i, shape)| values(shape, i)).collect();
    Ok(Case { name: name.to_string(), graph, inputs, arenas: vec![], images: None })
}

/// The three directions of a convolution.
fn convolution(
    model: &str,
    size: usize,
    [from, to]: [usize; 2],
    kernel_size: usize,
    stride: usize,
) -> anyhow::Result<Vec<Case>> {
    let spec = ConvSpec { stride: [stride; 2], padding: [kernel_size / 2; 4], ..ConvSpec::default() };
    let out = (size + 2 * (kernel_size / 2) - kernel_size) / stride + 1;
    let x = [BATCH, size, size, from];
    let w = [to, kernel_size, kernel_size, from];
    let y = [BATCH, out, out, to];
    let name = |direction: &str| {
        format!("conv {model} {size}x{size} {from}-{to} {kernel_size}x{kernel_size}/{stride} {direction}")
    };
    let gradient = |wrt: usize| {
        let spec = spec.clone();
        move |g: &mut Graph, v: &[Var]| {
            let result = g.conv2d(v[0], v[1], &spec)?;
            Ok(g.grad(result, Some(v[2]), &[v[wrt]])?[0])
        }
    };
    let forward = spec.clone();
    Ok(vec![
        kernel(&name("fwd"), &[&x, &w], |g, v| g.conv2d(v[0], v[1], &forward))?,
        kernel(&name("dx"), &[&x, &w, &y], gradient(0))?,
        kernel(&name("dw"), &[&x, &w, &y], gradient(1))?,
    ])
}

fn pointwise_and_reductions() -> anyhow::Result<Vec<Case>> {
    const MANY: usize = 1 << 24;
    let images: &[usize] = &[64, 32, 32, 64];
    let mut cases = vec![
        kernel("copy 16M", &[&[MANY]], |g, v| g.unary(Elementwise::Neg, v[0]))?,
        kernel("add 16M", &[&[MANY], &[MANY]], |g, v| g.add(v[0], v[1]))?,
        kernel("sum of all 16M", &[&[MANY]], |g, v| g.sum_all(v[0]))?,
        kernel("sum of rows 4096x4096", &[&[4096, 4096]], |g, v| g.sum(v[0], &[1], false))?,
        kernel("sum of columns 4096x4096", &[&[4096, 4096]], |g, v| g.sum(v[0], &[0], false))?,
        kernel("sum over N,H,W 64x32x32x64", &[images], |g, v| g.sum(v[0], &[0, 1, 2], false))?,
        kernel("softmax 4096x1000", &[&[4096, 1000]], |g, v| g.softmax(v[0], 1, false))?,
    ];
    let mut graph = Graph::new();
    let logits = graph.input("logits", &[4096, 1000], DType::F32)?;
    let labels = graph.input("labels", &[4096], DType::I32)?;
    let loss = graph.cross_entropy(logits, labels, &chiaro::graph::CrossEntropyOptions::default())?;
    let gradient = graph.grad(loss, None, &[logits])?[0];
    graph.output("loss", loss)?;
    graph.output("gradient", gradient)?;
    let classes = Tensor::i32([4096], (0..4096).map(|i| i * 31 % 1000).collect());
    let classes = classes.unwrap_or_else(|| Tensor::zeros([4096], DType::I32));
    let inputs = vec![values(&[4096, 1000], 0), classes];
    let name = "softmax-CE with gradient 4096x1000".to_string();
    cases.push(Case { name, graph, inputs, arenas: vec![], images: None });
    Ok(cases)
}

/// AdamW over as many parameters as ResNet-18 has.
fn optimizer() -> anyhow::Result<Case> {
    const PARAMETERS: usize = 11_173_962;
    let mut graph = Graph::new();
    let optimizer = Optimizer::AdamW(AdamW::default());
    let arena = graph.arena(PARAMS, DType::F32)?;
    graph.state(arena, "all", &[PARAMETERS])?;
    let len = graph.arenas()[arena.0].len;
    let gradient = graph.input("gradient", &[len], DType::F32)?;
    let hyper = graph.input("hyper", &[optimizer.hyper_len()], DType::F32)?;
    optimizer.apply(&mut graph, arena, gradient, hyper, Decay::All)?;
    // Something to read, so that the end of a run can be waited for.
    graph.output("hyper", hyper)?;
    let inputs = vec![values(&[len], 1), optimizer.hyper(1e-3, 10)];
    Ok(Case { name: "AdamW 11.2M parameters".to_string(), graph, inputs, arenas: vec![], images: None })
}
