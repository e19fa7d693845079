//! Graphs with more workgroups than one dimension of a dispatch takes (65,535), of every family of kernels, and with tensors of
//! millions of elements. Work an element is as little as the family allows, so that the CPU backend says what is right.

use chiaro_graph::{
    AvgDivisor, Backend, BackendError, ConvSpec, DType, Data, Edge, Elementwise, Graph, PLACE_ONE, PoolSpec, Result,
    SampleBy, Sampling, Target, Tensor, Var,
};

/// Elements of more workgroups of 64 than fit one dimension; odd, so that no thread takes four.
const ELEMENTS: usize = 64 * 65_536 + 65;

/// Bytes of a buffer whose end is beyond 32 bits.
const BEYOND: u64 = (4 << 30) + (64 << 20);

const EXACT: f64 = 1e-6;
/// Of a weight gradient over the whole batch: 786 thousand terms of one sign.
const SUMS_OF_A_BATCH: f64 = 1e-4;

type BuildLarge = fn(&mut Graph, &[Var]) -> Result<Vec<Var>>;

/// A graph of the table.
pub struct LargeCase {
    /// What it shows.
    pub name: &'static str,
    /// Largest error: of sums of whole numbers, which are exact up to 2^24.
    pub limit: f64,
    inputs: fn() -> Vec<Tensor>,
    build: BuildLarge,
}

/// All graphs.
pub fn large() -> Vec<LargeCase> {
    let row = |name, limit, inputs, build| LargeCase { name, limit, inputs, build };
    vec![
        row(
            "large/pointwise",
            EXACT,
            || vec![numbers(&[ELEMENTS])],
            |g, v| Ok(vec![g.unary(Elementwise::Square, v[0])?]),
        ),
        // 64 threads, four terms each, to a result.
        row("large/reductions", EXACT, || vec![numbers(&[65_541, 252])], |g, v| Ok(vec![g.sum(v[0], &[1], false)?])),
        row("large/pools", EXACT, || vec![numbers(&[1, 2051, 2050, 1])], pools),
        row(
            "large/depthwise convolutions",
            EXACT,
            || vec![numbers(&[1, 1450, 1450, 2]), numbers(&[2, 1, 2, 1])],
            depthwise,
        ),
        row("large/images of pixels", EXACT, images, |g, v| {
            let sampling = Sampling { source: [15, 15, 1], size: [15, 15], edge: Edge::Mean };
            Ok(vec![g.sample_images(
                v[0],
                v[1],
                v[2],
                SampleBy { place: Some(v[3]), ..SampleBy::default() },
                sampling,
            )?])
        }),
        // Tiles of at least 16 rows.
        row(
            "large/products",
            EXACT,
            || vec![numbers(&[16 * 65_536 + 33, 1]), numbers(&[1, 1])],
            |g, v| Ok(vec![g.matmul(v[0], v[1], false, false)?]),
        ),
        // A batch above 65,535, its products in all the directions of a gradient.
        row(
            "large/batches of products",
            EXACT,
            || vec![numbers(&[65_541, 3, 2]), numbers(&[65_541, 2, 3])],
            |g, v| {
                let y = g.matmul(v[0], v[1], false, false)?;
                let mut all = g.grad(y, Some(y), v)?;
                all.push(y);
                Ok(all)
            },
        ),
        // A workgroup merges eight columns.
        row(
            "large/columns reduced by tiles",
            EXACT,
            || vec![numbers(&[2, 1]), numbers(&[1, 8 * 65_536 + 9])],
            |g, v| {
                let y = g.matmul(v[0], v[1], false, false)?;
                Ok(vec![y, g.sum(y, &[0], false)?])
            },
        ),
        row(
            "large/convolutions of many images",
            SUMS_OF_A_BATCH,
            || vec![numbers(&[65_541, 4, 3, 2]), numbers(&[3, 3, 3, 2])],
            |g, v| {
                let y = g.conv2d(v[0], v[1], &ConvSpec { padding: [1; 4], ..ConvSpec::default() })?;
                let mut all = g.grad(y, Some(y), v)?;
                all.push(y);
                Ok(all)
            },
        ),
    ]
}

impl LargeCase {
    /// The graph and its inputs.
    ///
    /// # Errors
    /// If the case is wrong.
    pub fn graph(&self) -> Result<(Graph, Vec<Tensor>)> {
        let inputs = (self.inputs)();
        let mut g = Graph::new();
        let vars = inputs.iter().enumerate().map(|(i, t)| g.input(&i.to_string(), t.shape(), t.dtype()));
        let vars: Vec<Var> = vars.collect::<Result<_>>()?;
        for (i, v) in (self.build)(&mut g, &vars)?.into_iter().enumerate() {
            g.output(&i.to_string(), v)?;
        }
        Ok((g, inputs))
    }
}

/// Whole numbers of which neighbours differ.
fn numbers(shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (1..=count).map(|i| (i * 7919 % 251) as f32).collect();
    Tensor::f32(shape, values).unwrap_or_else(|| Tensor::zeros(shape, DType::F32))
}

fn pools(g: &mut Graph, v: &[Var]) -> Result<Vec<Var>> {
    let spec = PoolSpec { kernel: [1, 2], stride: [1, 1], ..PoolSpec::square(1) };
    let (y, z) = (g.max_pool2d(v[0], &spec)?, g.avg_pool2d(v[0], &spec, AvgDivisor::IncludePadding)?);
    let at = g.max_pool2d_index(v[0], &spec)?;
    let mut all = vec![y, z, at];
    for pooled in [y, z] {
        all.extend(g.grad(pooled, Some(z), &[v[0]])?);
    }
    Ok(all)
}

fn depthwise(g: &mut Graph, v: &[Var]) -> Result<Vec<Var>> {
    let y = g.conv2d(v[0], v[1], &ConvSpec { groups: 2, padding: [0, 0, 1, 0], ..ConvSpec::default() })?;
    let dx = g.grad(y, Some(v[0]), &[v[0]])?[0];
    Ok(vec![y, dx])
}

fn images() -> Vec<Tensor> {
    let n = ELEMENTS / 225 + 1;
    let whole = |shape: &[usize], f: fn(usize) -> i32| {
        let count: usize = shape.iter().product();
        Tensor::i32(shape, (0..count).map(f).collect::<Vec<_>>())
    };
    let words = (0..3 * 57).map(|i| (i as u32).wrapping_mul(2_654_435_761)).collect();
    let pixels = Tensor::new([3, 57], Data::U32(words));
    // Every second image is shifted by a row and a column.
    let place = whole(&[n, 3, 3], |i| match i % 9 {
        0 | 4 | 8 => PLACE_ONE,
        2 | 5 => i as i32 / 9 % 2 * PLACE_ONE,
        _ => 0,
    });
    let all = [pixels, whole(&[n], |i| i as i32 % 3), Tensor::f32([2, 1], vec![100.0, 1.0]), place];
    all.into_iter().flatten().collect()
}

/// A state of more than 4 GiB, written on the device and read by the next step: whether every element is where it belongs. The
/// answer is what is wrong, if anything is.
///
/// # Errors
/// If the device does not run it.
pub fn beyond_four_gigabytes(
    backend: &mut dyn Backend,
    corrupt: bool,
) -> std::result::Result<Option<String>, BackendError> {
    const COLUMNS: usize = 1 << 14;
    let rows = (BEYOND / 4) as usize / COLUMNS;
    let mut g = Graph::new();
    let arena = g.arena("four gigabytes", DType::F32)?;
    let state = g.state(arena, "beyond", &[rows, COLUMNS])?;
    let row = g.input("row", &[rows, 1], DType::F32)?;
    let held = g.state_value(state)?;
    let next = g.add(held, row)?;
    g.assign(Target::State(state), next)?;
    // Whole numbers below 2^24: the sum of a row is exact.
    let sums = g.sum(held, &[1], false)?;
    g.output("sums", sums)?;
    let plan = backend.compile(&g)?;
    let values: Vec<f32> = (0..rows).map(|i| (i % 251) as f32).collect();
    let input = Tensor::f32([rows, 1], values.clone()).into_iter().collect::<Vec<_>>();
    backend.run(plan, &input)?;
    backend.run(plan, &input)?;
    let mut sums = backend.read(plan, 0)?.to_f64();
    if corrupt {
        sums[rows - 1] += 1.0;
    }
    let wrong = sums.iter().zip(&values).position(|(sum, row)| *sum != f64::from(*row) * COLUMNS as f64);
    Ok(wrong.map(|i| format!("row {i} of {rows} sums to {}, expected {}", sums[i], values[i] * COLUMNS as f32)))
}

/// Bytes that [`beyond_four_gigabytes`] needs in one buffer.
pub fn bytes_beyond() -> u64 {
    BEYOND
}
