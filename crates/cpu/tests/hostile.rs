//! Hostile numbers in every builder method: a graph with the right shape that runs, or an error; never a panic, never a wrapped sum.

use chiaro_check::compare::relative_error;
use chiaro_cpu::Cpu;
use chiaro_cpu::reference::Reference;
use chiaro_graph::plan::{Plan, PlanOptions};
use chiaro_graph::{
    AvgDivisor, ConvSpec, CrossEntropyOptions, DType, Edge, Elementwise, Graph, Op, PoolSpec, RandomKind, Reduction,
    ResizeMode, Result, SampleBy, Sampling, Tensor, Var, evaluate,
};

/// Sizes around everything that can wrap or be refused.
const SIZES: &[usize] = &[
    0,
    1,
    2,
    3,
    5,
    8,
    1 << 16,
    (1 << 28) - 1,
    1 << 28,
    (1 << 28) + 1,
    1 << 31,
    (1 << 36) + 1,
    1 << 32,
    (1 << 60) - 1,
    1 << 60,
    1 << 62,
    1 << 63,
    (1 << 63) + 1,
    usize::MAX / 3,
    usize::MAX - 3,
    usize::MAX - 1,
    usize::MAX,
];

const FLOATS: &[f64] = &[
    0.0,
    -0.0,
    0.3,
    1.0,
    -1.0,
    2.0,
    1e-300,
    1e300,
    -1e300,
    2147483648.0,
    4294967296.0,
    1.0 - 1e-16,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

/// What a method is given: a vector [3], an image [1,5,4,2], a filter [2,3,2,2] and a matrix [3,4], all f32; labels i32 [3]; a key.
#[derive(Clone, Copy)]
struct Given {
    x: Var,
    image: Var,
    filter: Var,
    matrix: Var,
    labels: Var,
    key: Var,
}

const INPUTS: [(&str, &[usize], DType); 6] = [
    ("x", &[3], DType::F32),
    ("image", &[1, 5, 4, 2], DType::F32),
    ("filter", &[2, 3, 2, 2], DType::F32),
    ("matrix", &[3, 4], DType::F32),
    ("labels", &[3], DType::I32),
    ("key", &[3], DType::U32),
];

fn given(g: &mut Graph) -> Given {
    let [x, image, filter, matrix, labels, key] =
        INPUTS.map(|(name, shape, dtype)| g.input(name, shape, dtype).unwrap());
    Given { x, image, filter, matrix, labels, key }
}

fn tensors() -> Vec<Tensor> {
    let tensor = |(_, shape, dtype): (&str, &[usize], DType)| {
        let n: usize = shape.iter().product();
        let value = |i: usize| if dtype == DType::F32 { ((i * 7) % 11) as f64 * 0.25 - 1.0 } else { 0.0 };
        Tensor::from_f64(shape, dtype, &(0..n).map(value).collect::<Vec<f64>>()).unwrap()
    };
    INPUTS.map(tensor).into()
}

/// A method with two sizes at its weak places.
type Sized = (&'static str, fn(&mut Graph, Given, usize, usize) -> Result<Var>);

fn conv(stride: usize, padding: usize, dilation: usize, groups: usize) -> ConvSpec {
    ConvSpec { stride: [stride, 1], padding: [padding, 1, 0, 0], dilation: [dilation, 1], groups }
}

fn pool(kernel: usize, stride: usize, padding: usize, dilation: usize, ceil_mode: bool) -> PoolSpec {
    PoolSpec { kernel: [kernel, 2], stride: [1, stride], padding: [padding, 0], dilation: [dilation, 1], ceil_mode }
}

const SIZED: &[Sized] = &[
    ("input", |g, _, n, m| g.input("more", &[n, m], DType::F32)),
    ("full", |g, _, n, m| g.full(&[n, m], 1.0, DType::F32)),
    ("full and sum", |g, _, n, m| g.full(&[n, m], 1.0, DType::F16).and_then(|y| g.sum_all(y))),
    ("iota", |g, _, n, _| g.iota(n)),
    ("random", |g, v, n, m| g.random(RandomKind::Normal, &[n, m], v.key)),
    ("one_hot", |g, v, n, _| g.one_hot(v.labels, n, DType::F32)),
    ("state", |g, _, n, m| {
        let arena = g.arena("arena", DType::F32)?;
        g.state(arena, "a", &[n])?;
        let b = g.state(arena, "b", &[m])?;
        g.state_value(b)
    }),
    ("reshape", |g, v, n, m| g.reshape(v.x, &[n, m])),
    ("broadcast_to", |g, v, n, m| g.reshape(v.x, &[3, 1, 1]).and_then(|x| g.broadcast_to(x, &[3, n, m]))),
    ("add", |g, _, n, m| {
        let (a, b) = (g.full(&[n, 1], 1.0, DType::F32)?, g.full(&[m], 2.0, DType::F32)?);
        g.add(a, b)
    }),
    ("matmul", |g, _, n, m| {
        let (a, b) = (g.full(&[n, 1], 1.0, DType::F32)?, g.full(&[1, m], 2.0, DType::F32)?);
        g.matmul(a, b, false, false)
    }),
    ("transpose", |g, v, n, m| g.transpose(v.matrix, &[n, m])),
    ("slice from", |g, v, n, m| g.slice(v.x, &[n], &[m], &[1])),
    ("slice by", |g, v, n, m| g.slice(v.x, &[2], &[n], &[m as isize])),
    ("narrow", |g, v, n, m| g.narrow(v.x, 0, n, m)),
    ("pad", |g, v, n, m| g.pad(v.x, &[n], &[m], 0.5)),
    ("pad of a matrix", |g, v, n, m| g.pad(v.matrix, &[n, 0], &[0, m], 0.5)),
    ("concat", |g, _, n, m| {
        let (a, b) = (g.full(&[2, n], 1.0, DType::F32)?, g.full(&[2, m], 2.0, DType::F32)?);
        g.concat(&[a, b], 1)
    }),
    ("concat axis", |g, v, n, _| g.concat(&[v.matrix, v.matrix], n)),
    ("sum", |g, v, n, m| g.sum(v.matrix, &[n, m], true)),
    ("var", |g, v, n, _| g.var(v.matrix, &[n], false, 1.0)),
    ("argmax", |g, v, n, _| g.argmax(v.matrix, n, false)),
    ("softmax", |g, v, n, _| g.softmax(v.matrix, n, true)),
    ("gather", |g, v, n, m| {
        let index = g.one_hot(v.labels, n, DType::I32)?;
        g.gather(v.matrix, index, m)
    }),
    ("index_select", |g, v, n, m| {
        let index = g.full(&[n], 0.0, DType::I32)?;
        g.index_select(v.matrix, index, m)
    }),
    ("embedding", |g, v, n, _| g.embedding(v.matrix, v.labels, Some(n))),
    ("conv2d stride and padding", |g, v, n, m| g.conv2d(v.image, v.filter, &conv(n, m, 1, 1))),
    ("conv2d dilation and padding", |g, v, n, m| g.conv2d(v.image, v.filter, &conv(1, m, n, 1))),
    ("conv2d dilation and groups", |g, v, n, m| g.conv2d(v.image, v.filter, &conv(1, 0, n, m))),
    ("conv2d kernel and dilation", |g, v, n, m| {
        let filter = g.full(&[2, n, 1, 2], 0.5, DType::F32)?;
        g.conv2d(v.image, filter, &conv(1, 0, m, 1))
    }),
    ("conv_transpose2d kernel and dilation", |g, v, n, m| {
        let filter = g.full(&[2, n, 1, 2], 0.5, DType::F32)?;
        g.conv_transpose2d(v.image, filter, &conv(1, 0, m, 1), [0, 0])
    }),
    ("conv_transpose2d stride and padding", |g, v, n, m| {
        g.conv_transpose2d(v.image, v.filter, &conv(n, m, 1, 1), [0, 0])
    }),
    ("conv_transpose2d dilation and groups", |g, v, n, m| {
        g.conv_transpose2d(v.image, v.filter, &conv(1, 0, n, m), [0, 0])
    }),
    ("conv_transpose2d stride and output padding", |g, v, n, m| {
        g.conv_transpose2d(v.image, v.filter, &conv(n, 0, 1, 1), [m, 0])
    }),
    ("conv2d and its gradient", |g, v, n, m| {
        let y = g.conv2d(v.image, v.filter, &conv(n, m, 1, 1)).and_then(|y| g.sum_all(y))?;
        Ok(g.grad(y, None, &[v.filter])?[0])
    }),
    ("max_pool2d kernel and stride", |g, v, n, m| g.max_pool2d(v.image, &pool(n, m, 0, 1, true))),
    ("max_pool2d kernel and padding", |g, v, n, m| g.max_pool2d(v.image, &pool(n, 1, m, 1, false))),
    ("max_pool2d_index kernel and dilation", |g, v, n, m| g.max_pool2d_index(v.image, &pool(n, 1, 0, m, false))),
    ("avg_pool2d kernel and padding", |g, v, n, m| {
        g.avg_pool2d(v.image, &pool(n, 1, m, 1, true), AvgDivisor::IncludePadding)
    }),
    ("avg_pool2d stride and divisor", |g, v, n, m| {
        g.avg_pool2d(v.image, &pool(2, n, 0, 1, true), AvgDivisor::Fixed(m))
    }),
    ("adaptive_avg_pool2d", |g, v, n, m| g.adaptive_avg_pool2d(v.image, [n, m])),
    ("adaptive_max_pool2d", |g, v, n, m| g.adaptive_max_pool2d(v.image, [n, m])),
    ("resize2d nearest", |g, v, n, m| g.resize2d(v.image, [n, m], ResizeMode::Nearest)),
    ("resize2d bilinear", |g, v, n, m| g.resize2d(v.image, [n, m], ResizeMode::Bilinear { align_corners: true })),
    ("resize2d linear", |g, v, n, m| g.resize2d(v.image, [n, m], ResizeMode::Bilinear { align_corners: false })),
    ("layer_norm", |g, v, n, _| g.layer_norm(v.image, n, None, None, 1e-5)),
    ("group_norm", |g, v, n, _| g.group_norm(v.image, n, None, None, 1e-5)),
    ("sample_images", |g, v, n, m| {
        let (pixels, normalization) = (g.full(&[4, 8], 7.0, DType::U32)?, g.full(&[2, 1], 1.0, DType::F32)?);
        let sampling = Sampling { source: [5, 6, 1], size: [n, m], edge: Edge::Reflect };
        g.sample_images(pixels, v.labels, normalization, SampleBy::default(), sampling)
    }),
    ("sample_images of", |g, v, n, m| {
        let (pixels, normalization) = (g.full(&[4, 8], 7.0, DType::U32)?, g.full(&[2, 1], 1.0, DType::F32)?);
        let sampling = Sampling { source: [n, m, 1], size: [5, 6], edge: Edge::Mean };
        g.sample_images(pixels, v.labels, normalization, SampleBy::default(), sampling)
    }),
];

/// The shape that a method must give for these sizes, by arithmetic that cannot wrap; `None` where the test does not know it.
fn expected(name: &str, n: usize, m: usize) -> Option<Vec<i128>> {
    let (a, b) = (n as i128, m as i128);
    Some(match name {
        "input" | "full" | "random" | "reshape" | "matmul" | "add" => vec![a, b],
        "full and sum" => vec![],
        "iota" => vec![a],
        "one_hot" => vec![3, a],
        "state" => vec![b],
        "broadcast_to" => vec![3, a, b],
        "slice from" => vec![b],
        "slice by" => vec![a],
        "narrow" => vec![b - a],
        "pad" => vec![3 + a + b],
        "pad of a matrix" => vec![3 + a, 4 + b],
        "concat" => vec![2, a + b],
        "conv2d stride and padding" => vec![1, (5 + b + 1 - 3) / a + 1, 3, 2],
        "conv2d dilation and padding" => vec![1, 5 + b + 1 - 2 * a, 3, 2],
        "conv2d kernel and dilation" => vec![1, 5 + 1 - b * (a - 1) - 1 + 1, 4, 2],
        "conv_transpose2d kernel and dilation" => vec![1, 4 + b * (a - 1) + 1 - 1, 4, 2],
        "conv_transpose2d stride and padding" => vec![1, 4 * a + 3 - b - 1, 5, 2],
        "conv_transpose2d stride and output padding" => vec![1, 4 * a + 3 + b - 1, 5, 2],
        "max_pool2d kernel and padding" => vec![1, 5 + 2 * b - a + 1, 3, 2],
        "adaptive_avg_pool2d" | "adaptive_max_pool2d" => vec![1, a, b, 2],
        "resize2d nearest" | "resize2d bilinear" | "resize2d linear" => vec![1, a, b, 2],
        "sample_images" => vec![3, a, b, 1],
        "sample_images of" => vec![3, 5, 6, 1],
        _ => return None,
    })
}

/// Elements and window positions that running a graph touches, those of its arenas too.
fn work(g: &Graph) -> usize {
    let node = |n: &chiaro_graph::Node| {
        let window = match &n.op {
            Op::MaxPool2d(s) | Op::MaxPool2dIndex(s) | Op::AvgPool2d(s, _) => s.kernel[0].saturating_mul(s.kernel[1]),
            _ => 1,
        };
        n.shape.iter().product::<usize>().saturating_mul(window)
    };
    g.nodes().iter().map(node).chain(g.arenas().iter().map(|a| a.len)).fold(0, usize::saturating_add)
}

/// Runs a small graph on both executors.
fn run(what: &str, g: &mut Graph, y: Var) -> bool {
    g.output("y", y).unwrap();
    // The extra input of one method is not given.
    if work(g) > 1 << 14 || g.inputs().len() != INPUTS.len() {
        // What is too large to run is planned all the same, and refused where a device could not hold it.
        let options = PlanOptions { max_bytes: 1 << 32, ..PlanOptions::default() };
        let planned = Plan::new(g, &options);
        let bytes = g.shape(y).iter().fold(4u128, |n, &extent| n * extent as u128);
        assert!(bytes <= 1 << 32 || planned.is_err(), "{what}: a result of {bytes} bytes was planned");
        return false;
    }
    let inputs = tensors();
    let want = evaluate(&mut Reference::new(), g, &inputs).unwrap_or_else(|e| panic!("{what}, reference: {e}"));
    let got = evaluate(&mut Cpu::new(Some(1)).unwrap(), g, &inputs).unwrap_or_else(|e| panic!("{what}, CPU: {e}"));
    assert_eq!(want[0].shape(), g.shape(y), "{what}");
    let error = relative_error(&got[0].to_f64(), &want[0].to_f64());
    assert!(error < 1e-3, "{what}: {:?}, not {:?}", got[0], want[0]);
    true
}

#[test]
fn hostile_sizes_give_the_right_shape_or_an_error() {
    let (mut accepted, mut refused, mut ran) = (0, 0, 0);
    for &(name, method) in SIZED {
        for (&n, &m) in SIZES.iter().flat_map(|n| SIZES.iter().map(move |m| (n, m))) {
            let what = format!("{name} with {n} and {m}");
            let mut g = Graph::new();
            let v = given(&mut g);
            match method(&mut g, v, n, m) {
                Err(_) => refused += 1,
                Ok(y) => {
                    accepted += 1;
                    if let Some(want) = expected(name, n, m) {
                        let got: Vec<i128> = g.shape(y).iter().map(|&n| n as i128).collect();
                        assert_eq!(got, want, "{what}");
                    }
                    ran += usize::from(run(&what, &mut g, y));
                }
            }
        }
    }
    // A builder that refused or accepted everything would prove nothing.
    assert!(accepted > 1500 && refused > 10_000 && ran > 800, "{accepted} accepted, {refused} refused, {ran} ran");
}

#[test]
fn slices_take_steps_as_far_as_the_operand_reaches_and_no_farther() {
    let steps = [isize::MIN, isize::MIN + 1, -(1 << 40), -2, -1, 0, 1, 2, 3, 1 << 40, isize::MAX];
    for (start, len, step) in (0..6).flat_map(|s| (0..6).flat_map(move |l| steps.map(|t| (s, l, t)))) {
        let mut g = Graph::new();
        let v = given(&mut g);
        let positions: Vec<i128> = (0..len as i128).map(|i| start as i128 + i * step as i128).collect();
        let fits = step != 0 && len > 0 && positions.iter().all(|p| (0..3).contains(p));
        let made = g.slice(v.x, &[start], &[len], &[step]);
        assert_eq!(made.is_ok(), fits, "{start}, {len}, {step}");
        let Ok(y) = made else { continue };
        run(&format!("slice {start}, {len}, {step}"), &mut g, y);
        let y = g.sum_all(y).unwrap();
        let dx = g.grad(y, None, &[v.x]).unwrap()[0];
        g.output("dx", dx).unwrap();
        let want: Vec<f64> = (0..3).map(|i| positions.iter().filter(|&&p| p == i).count() as f64).collect();
        for got in
            [evaluate(&mut Reference::new(), &g, &tensors()), evaluate(&mut Cpu::new(Some(1)).unwrap(), &g, &tensors())]
        {
            assert_eq!(got.unwrap().last().unwrap().to_f64(), want, "gradient of {start}, {len}, {step}");
        }
    }
}

/// A method with a number that is no size.
type Numbered = (&'static str, fn(&mut Graph, Given, f64) -> Result<Var>);

const NUMBERED: &[Numbered] = &[
    ("scalar f32", |g, _, n| g.scalar(n, DType::F32)),
    ("scalar f16", |g, _, n| g.scalar(n, DType::F16)),
    ("scalar i32", |g, _, n| g.scalar(n, DType::I32)),
    ("scalar u32", |g, _, n| g.scalar(n, DType::U32)),
    ("scalar bool", |g, _, n| g.scalar(n, DType::Bool)),
    ("map_scalars i32", |g, v, n| g.map_scalars(Elementwise::Maximum, v.labels, &[n])),
    ("pad i32", |g, v, n| g.pad(v.labels, &[1], &[1], n)),
    ("pad u32", |g, v, n| g.pad(v.key, &[1], &[1], n)),
    ("dropout", |g, v, n| g.dropout(v.x, n, v.key)),
    ("clamp below", |g, v, n| g.clamp(v.x, Some(n), None)),
    ("clamp above", |g, v, n| g.clamp(v.x, None, Some(n))),
    ("var", |g, v, n| g.var(v.x, &[0], false, n)),
    ("layer_norm", |g, v, n| g.layer_norm(v.matrix, 1, None, None, n)),
    ("huber_loss", |g, v, n| g.huber_loss(v.x, v.x, n, Reduction::Mean)),
    ("smooth_l1_loss", |g, v, n| g.smooth_l1_loss(v.x, v.x, n, Reduction::Mean)),
    ("cross_entropy", |g, v, n| {
        g.cross_entropy(
            v.matrix,
            v.labels,
            &CrossEntropyOptions { label_smoothing: n, ..CrossEntropyOptions::default() },
        )
    }),
];

/// What each method accepts.
fn accepts(name: &str, n: f64) -> bool {
    let whole = |low: f64, high: f64| n.fract() == 0.0 && (low..=high).contains(&n);
    match name {
        "scalar f32" | "scalar f16" => true,
        "scalar i32" | "map_scalars i32" | "pad i32" => whole(-2147483648.0, 2147483647.0),
        "scalar u32" | "pad u32" => whole(0.0, 4294967295.0),
        "scalar bool" => whole(0.0, 1.0),
        "dropout" => (0.0..1.0).contains(&n),
        "clamp below" | "clamp above" | "var" => !n.is_nan(),
        "layer_norm" => n >= 0.0 && n.is_finite(),
        "huber_loss" => n > 0.0,
        "smooth_l1_loss" => n >= 0.0,
        "cross_entropy" => (0.0..=1.0).contains(&n),
        other => panic!("{other} is not in the list"),
    }
}

#[test]
fn hostile_numbers_are_refused_where_they_mean_nothing() {
    for (&(name, method), &n) in NUMBERED.iter().flat_map(|m| FLOATS.iter().map(move |n| (m, n))) {
        let mut g = Graph::new();
        let v = given(&mut g);
        let made = method(&mut g, v, n);
        assert_eq!(made.is_ok(), accepts(name, n), "{name} of {n}: {:?}", made.err());
        if let Ok(y) = made
            && n.abs() < 1e30
        {
            run(&format!("{name} of {n}"), &mut g, y);
        }
    }
}
