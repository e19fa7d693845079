//! Graphs of one kernel each.

use chiaro::graph::{ConvSpec, DType, Elementwise, Graph, Result, Target, Tensor, Var};
use chiaro::nn::{AdamW, Decay, Optimizer, PARAMS};

use super::measure::{Case, RUNS};

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

/// A graph whose operands and results stay on the device, so that its runs are the kernel's work and nothing else.
#[derive(Default)]
struct Resident {
    graph: Graph,
    arenas: Vec<(String, Tensor)>,
}

impl Resident {
    /// An operand with values that are no denormals, zeros or ones.
    fn operand(&mut self, name: &str, shape: &[usize]) -> Result<Var> {
        let seed = self.arenas.len() * 104_729;
        self.state(name, shape, DType::F32, |i| ((i * 7919 + seed) % 1013) as f64 / 506.5 - 1.0)
    }

    fn state(&mut self, name: &str, shape: &[usize], dtype: DType, value: impl Fn(usize) -> f64) -> Result<Var> {
        let arena = self.graph.arena(name, dtype)?;
        let state = self.graph.state(arena, name, shape)?;
        let len = self.graph.arenas()[arena.0].len;
        let values: Vec<f64> = (0..len).map(value).collect();
        self.arenas.extend(Tensor::from_f64([len], dtype, &values).map(|values| (name.to_string(), values)));
        Ok(self.graph.state_value(state))
    }

    /// Keeps a result on the device.
    fn result(&mut self, name: &str, value: Var) -> Result<()> {
        let arena = self.graph.arena(name, self.graph.dtype(value))?;
        let shape = self.graph.shape(value).to_vec();
        let state = self.graph.state(arena, name, &shape)?;
        self.graph.assign(Target::State(state), value)
    }

    /// The row. The end of a run is waited for by reading a counter of runs.
    fn case(mut self, name: &str) -> Result<Case> {
        let count = self.state(RUNS, &[1], DType::F32, |_| 0.0)?;
        let next = self.graph.map_scalars(Elementwise::Add, count, &[1.0])?;
        let arena = self.graph.arena(RUNS, DType::F32)?;
        let state = self.graph.arenas()[arena.0].states[0];
        self.graph.assign(Target::State(state), next)?;
        Ok(Case { name: name.to_string(), graph: self.graph, inputs: vec![], arenas: self.arenas, images: None })
    }
}

fn kernel(
    name: &str,
    shapes: &[&[usize]],
    build: impl FnOnce(&mut Graph, &[Var]) -> Result<Var>,
) -> anyhow::Result<Case> {
    let mut resident = Resident::default();
    let mut operands = vec![];
    for (i, shape) in shapes.iter().enumerate() {
        operands.push(resident.operand(&format!("x{i}"), shape)?);
    }
    let result = build(&mut resident.graph, &operands)?;
    resident.result("result", result)?;
    Ok(resident.case(name)?)
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
    let mut resident = Resident::default();
    let logits = resident.operand("logits", &[4096, 1000])?;
    let labels = resident.state("labels", &[4096], DType::I32, |i| (i * 31 % 1000) as f64)?;
    let loss = resident.graph.cross_entropy(logits, labels, &chiaro::graph::CrossEntropyOptions::default())?;
    let gradient = resident.graph.grad(loss, None, &[logits])?[0];
    resident.result("loss", loss)?;
    resident.result("gradient", gradient)?;
    cases.push(resident.case("softmax-CE with gradient 4096x1000")?);
    Ok(cases)
}

/// AdamW over as many parameters as ResNet-18 has.
fn optimizer() -> anyhow::Result<Case> {
    const PARAMETERS: usize = 11_173_962;
    let mut resident = Resident::default();
    let optimizer = Optimizer::AdamW(AdamW::default());
    resident.operand(PARAMS, &[PARAMETERS])?;
    let params = resident.graph.arena(PARAMS, DType::F32)?;
    let len = resident.graph.arenas()[params.0].len;
    let gradient = resident.operand("gradient", &[len])?;
    let hyper = resident.operand("hyper", &[optimizer.hyper_len()])?;
    optimizer.apply(&mut resident.graph, params, gradient, hyper, Decay::All)?;
    Ok(resident.case("AdamW 11.2M parameters")?)
}
