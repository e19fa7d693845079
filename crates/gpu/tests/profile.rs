//! A profiled step is a step like all: same results, every dispatch timed once; and the steps after it are as before.

mod support;

use chiaro_gpu::{BackendOptions, GpuBackend, OpenOptions};
use chiaro_graph::{Backend, Clock, DType, Elementwise, Graph, PlanId, Profile, Tensor};

fn open(options: BackendOptions) -> Option<GpuBackend> {
    support::open(OpenOptions::default()).map(|gpu| GpuBackend::new(gpu, options))
}

/// A matrix product whose loss and gradient are wanted: a few kernels, one of them in two passes.
fn graph() -> Graph {
    let mut g = Graph::new();
    let x = g.input("x", &[64, 48], DType::F32).expect("new");
    let w = g.input("w", &[48, 32], DType::F32).expect("new");
    let y = g.matmul(x, w, false, false).expect("shapes fit");
    let y = g.unary(Elementwise::Sigmoid, y).expect("a float");
    let loss = g.sum_all(y).expect("a float");
    let gradient = g.grad(loss, None, &[w]).expect("differentiable")[0];
    g.output("loss", loss).expect("new");
    g.output("gradient", gradient).expect("new");
    g
}

fn inputs() -> Vec<Tensor> {
    let tensor = |shape: [usize; 2], seed: usize| {
        let values = (0..shape[0] * shape[1]).map(|i| ((i * 7919 + seed) % 101) as f32 / 101.0 - 0.5).collect();
        Tensor::f32(shape, values).expect("as many as the shape has")
    };
    vec![tensor([64, 48], 1), tensor([48, 32], 2)]
}

fn read(gpu: &mut GpuBackend, plan: PlanId) -> Vec<Tensor> {
    (0..2).map(|i| gpu.read(plan, i).expect("an output")).collect()
}

/// Times in order, one after the other, inside the host's.
fn check_times(profile: &Profile) {
    assert_eq!(profile.clock, Clock::Device);
    const ROUNDING: f64 = 1e-9;
    for pair in profile.calls.windows(2) {
        assert!(pair[0].start + pair[0].seconds <= pair[1].start + ROUNDING, "{pair:?}");
    }
    assert!(profile.calls.iter().all(|call| call.seconds >= 0.0));
    assert!(profile.call_seconds() > 0.0 && profile.call_seconds() <= profile.span_seconds() + ROUNDING);
    let wait = profile.host.last().expect("the host waits");
    assert_eq!(wait.name, "wait");
    assert!(profile.span_seconds() <= wait.start + wait.seconds, "{profile:?}");
}

#[test]
fn a_profiled_step_has_the_results_of_a_step_and_times_every_dispatch() {
    let Some(mut gpu) = open(BackendOptions::default()) else {
        return;
    };
    let plan = gpu.compile(&graph()).expect("compiles");
    gpu.run(plan, &inputs()).expect("runs");
    let want = read(&mut gpu, plan);
    let profile = gpu.profile(plan, &inputs()).expect("the adapter has timestamps");
    assert_eq!(read(&mut gpu, plan), want);
    assert_eq!(profile.calls.len(), gpu.dispatches(plan));
    let calls: Vec<_> = profile.calls.iter().map(|time| time.call.clone()).collect();
    assert_eq!(calls, gpu.calls(plan).expect("they are known"));
    assert_eq!(
        calls.iter().map(|call| call.flops).sum::<u64>(),
        2 * 2 * 64 * 48 * 32,
        "two products, each counted once"
    );
    assert!(calls.iter().all(|call| call.bytes > 0 && !call.shape.is_empty()));
    check_times(&profile);
}

#[test]
fn steps_after_a_profile_are_one_submission_and_allocate_nothing() {
    let Some(mut gpu) = open(BackendOptions::default()) else {
        return;
    };
    let plan = gpu.compile(&graph()).expect("compiles");
    gpu.run(plan, &inputs()).expect("runs");
    let first = gpu.stats();
    gpu.profile(plan, &inputs()).expect("the adapter has timestamps");
    gpu.run(plan, &inputs()).expect("runs");
    let before = gpu.stats();
    for _ in 0..5 {
        gpu.run(plan, &inputs()).expect("runs");
    }
    let after = gpu.stats();
    assert_eq!(after.submissions - before.submissions, 5);
    assert_eq!(after.dispatches - before.dispatches, 5 * gpu.dispatches(plan) as u64);
    assert_eq!(after.allocations, before.allocations);
    assert!(after.encode_nanoseconds > before.encode_nanoseconds);
    // The first download keeps its buffer for the next; the timestamps' own memory is given back.
    assert!(after.bytes - first.bytes < 1024, "{first:?} {after:?}");
}

#[test]
fn more_dispatches_than_a_query_set_holds_are_timed_too() {
    // The plain path: each of these is a kernel call, and all of them are one pipeline.
    let Some(mut gpu) = open(BackendOptions { fuse: false, ..BackendOptions::default() }) else {
        return;
    };
    const MANY: usize = wgpu::QUERY_SET_MAX_QUERIES as usize + 5;
    let mut g = Graph::new();
    let mut x = g.input("x", &[4], DType::F32).expect("new");
    for _ in 0..MANY {
        x = g.map_scalars(Elementwise::Add, x, &[1.0]).expect("a float");
    }
    g.output("y", x).expect("new");
    let plan = gpu.compile(&g).expect("compiles");
    assert_eq!(gpu.dispatches(plan), MANY);
    let profile = gpu.profile(plan, &[Tensor::zeros([4], DType::F32)]).expect("the adapter has timestamps");
    assert_eq!(gpu.read(plan, 0).expect("an output").to_f64(), [MANY as f64; 4]);
    assert_eq!(profile.calls.len(), MANY);
    check_times(&profile);
}

#[test]
fn the_roofline_is_measured() {
    let Some(mut gpu) = open(BackendOptions::default()) else {
        return;
    };
    let before = gpu.stats();
    let peaks = gpu.peaks().expect("measured");
    assert!(peaks.flops.is_finite() && peaks.flops > 1e6, "{peaks:?}");
    assert!(peaks.bytes.is_finite() && peaks.bytes > 1e6, "{peaks:?}");
    assert_eq!(peaks.flops_f16.is_some(), gpu.gpu().features().f16);
    assert!(gpu.stats().bytes - before.bytes < 1024, "its buffers are given back");
}
