//! GFLOP/s of each kernel over the shapes of real networks, beside the `gemm` crate's own peak on the same cores.
//! `cargo bench -p chiaro-cpu --bench kernels -- resnet` runs the part whose names match.

use chiaro_cpu::kernels::{
    ConvExtents, MatmulShape, NoEpilogue, PackedWeights, PoolExtents, RightOperand, Workspace, column_moments, conv2d,
    conv2d_input_gradient, conv2d_weight_gradient, matmul, max_pool2d, max_pool2d_gradient,
};
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use std::time::Duration;

/// Floats from a cache line on, as the engine's arenas are laid out.
struct Floats {
    data: Vec<f32>,
    start: usize,
    len: usize,
}

fn floats(len: usize) -> Floats {
    let data: Vec<f32> = (0..len + 16).map(|i| (i % 31) as f32 / 31.0 - 0.5).collect();
    let start = data.as_ptr().align_offset(64);
    Floats { data, start, len }
}

impl std::ops::Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.data[self.start..self.start + self.len]
    }
}

impl std::ops::DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..self.start + self.len]
    }
}

/// Name and shape of the convolutions that the workloads of `benches/peers` spend their time in.
fn convolutions() -> Vec<(String, ConvExtents)> {
    let mut all = Vec::new();
    let mut add = |name: &str, shape| all.push((name.to_string(), shape));
    for (size, c) in [(32, 64), (16, 128), (8, 256), (4, 512)] {
        add(&format!("resnet-{c}"), ConvExtents::square([32, size, size, c], c, 3, 1, 1));
        if c < 512 {
            add(&format!("resnet-{c}-strided"), ConvExtents::square([32, size, size, c], 2 * c, 3, 2, 1));
            add(&format!("resnet-{c}-projection"), ConvExtents::square([32, size, size, c], 2 * c, 1, 2, 0));
        }
    }
    add("resnet-stem", ConvExtents::square([32, 32, 32, 3], 64, 3, 1, 1));
    add("w1-first", ConvExtents::square([64, 28, 28, 1], 32, 3, 1, 0));
    add("w1-second", ConvExtents::square([64, 26, 26, 32], 64, 3, 1, 0));
    add("w2-first", ConvExtents::square([32, 64, 64, 3], 32, 3, 1, 0));
    add("w2-second", ConvExtents::square([32, 31, 31, 32], 64, 3, 1, 0));
    add("w4-conv", ConvExtents::square([32, 56, 56, 64], 64, 3, 1, 1));
    add("airbench-first", ConvExtents::square([256, 31, 31, 24], 64, 3, 1, 1));
    add("airbench-widening", ConvExtents::square([256, 15, 15, 64], 256, 3, 1, 1));
    add("airbench-256", ConvExtents::square([256, 7, 7, 256], 256, 3, 1, 1));
    add("depthwise", ConvExtents { groups: 128, ..ConvExtents::square([32, 28, 28, 128], 128, 3, 1, 1) });
    all
}

fn bench_convolutions(c: &mut Criterion) {
    let mut workspace = Workspace::new();
    for (name, s) in convolutions() {
        let mut group = c.benchmark_group(&name);
        group.throughput(Throughput::Elements(s.flops()));
        let (mut x, mut w, mut y) = (floats(s.input_len()), floats(s.weights_len()), floats(s.output_len()));
        let mut packed = PackedWeights::new();
        packed.pack_forward(&mut workspace, &s, &w);
        group.bench_function("forward", |b| {
            b.iter(|| conv2d(&mut workspace, &packed, &w, &x, &mut y, &NoEpilogue));
        });
        group.bench_function("weight-gradient", |b| {
            b.iter(|| conv2d_weight_gradient(&mut workspace, &s, &x, &y, &mut w));
        });
        packed.pack_input_gradient(&mut workspace, &s, &w);
        group.bench_function("input-gradient", |b| {
            b.iter(|| conv2d_input_gradient(&mut workspace, &packed, &w, &y, &mut x, &NoEpilogue));
        });
        group.throughput(Throughput::Bytes(4 * w.len() as u64));
        group.bench_function("pack-forward", |b| b.iter(|| packed.pack_forward(&mut workspace, &s, &w)));
        group.bench_function("pack-input-gradient", |b| b.iter(|| packed.pack_input_gradient(&mut workspace, &s, &w)));
    }
}

/// The `gemm` crate on the same product: the yardstick.
fn bench_gemm(group: &mut BenchmarkGroup<WallTime>, s: &MatmulShape, a: &[f32], b: &[f32], c: &mut [f32]) {
    let steps = |transposed: bool, rows: usize, cols: usize| {
        if transposed { (rows as isize, 1) } else { (1, cols as isize) }
    };
    let ((a_col, a_row), (b_col, b_row)) = (steps(s.a_transposed, s.m, s.k), steps(s.b_transposed, s.k, s.n));
    let threads = gemm::Parallelism::Rayon(rayon::current_num_threads());
    group.bench_function("gemm-crate", |bencher| {
        bencher.iter(|| {
            // SAFETY: the strides and sizes are those of the slices.
            #[allow(unsafe_code, reason = "the crate's only interface takes pointers")]
            unsafe {
                let (c, a, b) = (c.as_mut_ptr(), a.as_ptr(), b.as_ptr());
                let (m, n, k, step) = (s.m, s.n, s.k, s.n as isize);
                gemm::gemm(
                    m, n, k, c, 1, step, false, a, a_col, a_row, b, b_col, b_row, 0.0, 1.0, false, false, false,
                    threads,
                );
            }
        });
    });
}

fn bench_products(c: &mut Criterion) {
    let mut workspace = Workspace::new();
    for (name, m, n, k, a_transposed, b_transposed) in [
        ("matmul-1024", 1024, 1024, 1024, false, false),
        ("dense-9216-128/forward", 64, 128, 9216, false, true),
        ("dense-9216-128/input-gradient", 64, 9216, 128, false, false),
        ("dense-9216-128/weight-gradient", 128, 9216, 64, true, false),
        ("dense-128-10/forward", 64, 10, 128, false, true),
        ("dense-128-10/input-gradient", 64, 128, 10, false, false),
        ("dense-128-10/weight-gradient", 10, 128, 64, true, false),
    ] {
        let s = MatmulShape { a_transposed, b_transposed, ..MatmulShape::new(m, n, k) };
        let (a, b, mut y) = (floats(m * k), floats(k * n), floats(m * n));
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(s.flops()));
        group.bench_function("chiaro", |bencher| {
            bencher.iter(|| matmul(&mut workspace, &s, &a, RightOperand::Plain(&b), &mut y, &NoEpilogue));
        });
        bench_gemm(&mut group, &s, &a, &b, &mut y);
    }
}

fn bench_memory(c: &mut Criterion) {
    let mut workspace = Workspace::new();
    let s = PoolExtents {
        batch: 64,
        height: 24,
        width: 24,
        channels: 64,
        out: [12, 12],
        kernel: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
        dilation: [1, 1],
    };
    let (x, mut y, mut dx) = (floats(s.input_len()), floats(s.output_len()), floats(s.input_len()));
    let mut group = c.benchmark_group("memory");
    group.throughput(Throughput::Bytes(4 * x.len() as u64));
    group.bench_function("max-pool", |b| b.iter(|| max_pool2d(&mut workspace, &s, &x, &mut y)));
    group.bench_function("max-pool-gradient", |b| {
        b.iter(|| max_pool2d_gradient(&mut workspace, &s, &x, [&y, &y], &mut dx, &NoEpilogue));
    });
    let (mut mean, mut m2) = (floats(64), floats(64));
    group.bench_function("moments", |b| b.iter(|| column_moments(&mut workspace, &x, 64, &mut mean, &mut m2)));
}

fn main() {
    let mut criterion = Criterion::default()
        .configure_from_args()
        .without_plots()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300));
    bench_convolutions(&mut criterion);
    bench_products(&mut criterion);
    bench_memory(&mut criterion);
    criterion.final_summary();
}
