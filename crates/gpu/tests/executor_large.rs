//! More workgroups than one dimension of a dispatch takes (65,535), of every family of kernels: the GPU reaches every element, as
//! the CPU does. Work an element is as little as the family allows.

mod support;

use chiaro_check::compare::compare;
use chiaro_cpu::Cpu;
use chiaro_gpu::{BackendOptions, GpuBackend, KernelChoice, OpenOptions};
use chiaro_graph::{AvgDivisor, ConvSpec, Data, Elementwise, Graph, PoolSpec, Result, Tensor, Var, evaluate};

/// Elements of more workgroups of 64 than fit one dimension; odd, so that no thread takes four.
const ELEMENTS: usize = 64 * 65_536 + 65;

/// Whole numbers of which neighbours differ.
fn numbers(shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    Tensor::f32(shape, (1..=count).map(|i| (i * 7919 % 251) as f32).collect::<Vec<_>>()).expect("as many")
}

/// The graph's outputs on the GPU and the CPU.
fn check(kernels: KernelChoice, inputs: &[Tensor], build: impl Fn(&mut Graph, &[Var]) -> Result<Vec<Var>>) {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let mut g = Graph::new();
    let input = |(i, t): (usize, &Tensor)| g.input(&i.to_string(), t.shape(), t.dtype()).expect("a new name");
    let vars: Vec<Var> = inputs.iter().enumerate().map(input).collect();
    for (i, v) in build(&mut g, &vars).expect("a graph").into_iter().enumerate() {
        g.output(&i.to_string(), v).expect("a new name");
    }
    let mut backend = GpuBackend::new(gpu, BackendOptions { kernels, ..BackendOptions::default() });
    let got = evaluate(&mut backend, &g, inputs).expect("the GPU runs");
    let want = evaluate(&mut Cpu::new(None).expect("threads"), &g, inputs).expect("the CPU runs");
    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
        let error = compare(got, want).expect("one shape");
        assert!(error <= 1e-6, "output {i}: {error:e}");
    }
}

#[test]
fn pointwise_kernels_reach_every_element() {
    check(KernelChoice::Suited, &[numbers(&[ELEMENTS])], |g, v| Ok(vec![g.unary(Elementwise::Square, v[0])?]));
}

#[test]
fn reductions_reach_every_result() {
    // 64 threads, four terms each, to a result.
    check(KernelChoice::Suited, &[numbers(&[65_541, 252])], |g, v| Ok(vec![g.sum(v[0], &[1], false)?]));
}

#[test]
fn pools_and_their_gradients_reach_every_element() {
    check(KernelChoice::Suited, &[numbers(&[1, 2051, 2050, 1])], |g, v| {
        let spec = PoolSpec { kernel: [1, 2], stride: [1, 1], ..PoolSpec::square(1) };
        let (y, z) = (g.max_pool2d(v[0], &spec)?, g.avg_pool2d(v[0], &spec, AvgDivisor::IncludePadding)?);
        let at = g.max_pool2d_index(v[0], &spec)?;
        let mut all = vec![y, z, at];
        for pooled in [y, z] {
            all.extend(g.grad(pooled, Some(z), &[v[0]])?);
        }
        Ok(all)
    });
}

#[test]
fn depthwise_convolutions_and_their_input_gradients_reach_every_element() {
    check(KernelChoice::Suited, &[numbers(&[1, 1450, 1450, 2]), numbers(&[2, 1, 2, 1])], |g, v| {
        let y = g.conv2d(v[0], v[1], &ConvSpec { groups: 2, padding: [0, 0, 1, 0], ..ConvSpec::default() })?;
        let dx = g.grad(y, Some(v[0]), &[v[0]])?[0];
        Ok(vec![y, dx])
    });
}

#[test]
fn images_made_of_pixels_reach_every_element() {
    let n = ELEMENTS / 225 + 1;
    let whole = |shape: &[usize], f: fn(usize) -> i32| {
        let count: usize = shape.iter().product();
        Tensor::i32(shape, (0..count).map(f).collect::<Vec<_>>()).expect("as many")
    };
    let words = (0..3 * 57).map(|i| (i as u32).wrapping_mul(2_654_435_761)).collect();
    let inputs = [
        Tensor::new([3, 57], Data::U32(words)).expect("as many"),
        whole(&[n], |i| i as i32 % 3),
        whole(&[n, 3], |i| i as i32 % 2),
        numbers(&[2, 1]),
    ];
    check(KernelChoice::Suited, &inputs, |g, v| Ok(vec![g.load_images(v[0], v[1], v[2], v[3], [15, 15, 1])?]));
}

/// Tiles of 16 rows.
fn products(kernels: KernelChoice) {
    check(kernels, &[numbers(&[16 * 65_536 + 33, 1]), numbers(&[1, 1])], |g, v| {
        Ok(vec![g.matmul(v[0], v[1], false, false)?])
    });
}

#[test]
fn products_in_tiles_of_software_devices_reach_every_row() {
    products(KernelChoice::Suited);
}

#[test]
fn products_in_tiles_of_gpus_reach_every_row() {
    products(KernelChoice::Gpu);
}

/// A workgroup merges eight columns.
#[test]
fn columns_reduced_by_tiles_are_merged_to_the_last() {
    check(KernelChoice::Gpu, &[numbers(&[2, 1]), numbers(&[1, 8 * 65_536 + 9])], |g, v| {
        let y = g.matmul(v[0], v[1], false, false)?;
        Ok(vec![y, g.sum(y, &[0], false)?])
    });
}
