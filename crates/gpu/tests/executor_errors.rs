//! What goes wrong on a device, as errors of the backend that say what to do.

mod support;

use chiaro_gpu::{BackendOptions, GpuBackend, OpenOptions};
use chiaro_graph::{Backend, BackendError, DType, Graph, GraphError, HalfPrecision, Tensor, Var};

fn open(options: OpenOptions) -> Option<GpuBackend> {
    support::open(options).map(|gpu| GpuBackend::new(gpu, BackendOptions::default()))
}

/// x + the arena's state, which is also assigned.
fn counting(len: usize) -> Graph {
    let mut g = Graph::new();
    let arena = g.arena("total", DType::F32).expect("new");
    let state = g.state(arena, "total", &[len]).expect("new");
    let x = g.input("x", &[len], DType::F32).expect("new");
    let old: Var = g.state_value(state).unwrap();
    let new = g.add(old, x).expect("one shape");
    g.assign(chiaro_graph::Target::State(state), new).expect("fits");
    g.output("new", new).expect("new");
    g
}

#[test]
fn wrong_inputs_and_names_are_refused_and_the_backend_stays_usable() {
    let Some(mut backend) = open(OpenOptions::default()) else {
        return;
    };
    let plan = backend.compile(&counting(3)).expect("compiles");
    assert!(matches!(backend.read(plan, 0), Err(BackendError::Unknown(_))), "nothing was run");
    let error = backend.run(plan, &[Tensor::zeros([4], DType::F32)]).expect_err("another shape");
    assert!(matches!(error, BackendError::Mismatch { .. }), "{error}");
    let gone = backend.compile(&counting(3)).expect("compiles");
    backend.release_plan(gone).expect("there");
    assert!(matches!(backend.run(gone, &[]), Err(BackendError::Unknown(_))));
    assert!(matches!(backend.read_arena("other"), Err(BackendError::Unknown(_))));
    let wrong = Tensor::zeros([3], DType::F32);
    assert!(matches!(backend.write_arena("total", &wrong), Err(BackendError::Mismatch { .. })), "arenas are padded");
    assert!(matches!(backend.compile(&counting(300)), Err(BackendError::Taken { by: Some(_), .. })), "another length");
    let ones = Tensor::f32([3], vec![1.0, 2.0, 3.0]).expect("three");
    for _ in 0..2 {
        backend.run(plan, std::slice::from_ref(&ones)).expect("runs");
    }
    assert_eq!(backend.read(plan, 0).expect("read").as_f32(), Some(&[2.0, 4.0, 6.0][..]));
    let arena = backend.read_arena("total").expect("read");
    assert_eq!(arena.as_f32().map(|v| &v[..4]), Some(&[2.0, 4.0, 6.0, 0.0][..]));
    assert!(matches!(backend.read(plan, 1), Err(BackendError::Unknown(_))));
}

#[test]
fn plans_share_arenas_by_name() {
    let Some(mut backend) = open(OpenOptions::default()) else {
        return;
    };
    let first = backend.compile(&counting(5)).expect("compiles");
    let second = backend.compile(&counting(5)).expect("compiles");
    let ones = Tensor::f32([5], vec![1.0; 5]).expect("five");
    for plan in [first, second, first, first] {
        backend.run(plan, std::slice::from_ref(&ones)).expect("runs");
    }
    assert_eq!(backend.read(first, 0).expect("read").as_f32(), Some(&[4.0; 5][..]));
    assert_eq!(backend.read(second, 0).expect("read").as_f32(), Some(&[2.0; 5][..]));
}

#[test]
fn too_little_memory_is_said_before_anything_is_allocated() {
    let Some(mut backend) = open(OpenOptions { budget_bytes: Some(1 << 20), ..OpenOptions::default() }) else {
        return;
    };
    let before = backend.stats();
    let error = backend.compile(&counting(1 << 20)).expect_err("4 MiB each");
    assert!(matches!(error, BackendError::OutOfMemory { .. }) && error.to_string().contains("batch"), "{error}");
    assert_eq!(backend.stats(), before);
    backend.compile(&counting(64)).expect("a small one fits");
}

#[test]
fn a_graph_that_fails_to_be_made_leaves_no_arena_behind() {
    let Some(mut backend) = open(OpenOptions { budget_bytes: Some(2 << 20), ..OpenOptions::default() }) else {
        return;
    };
    let before = backend.stats().bytes;
    // The plan fits, but not the three buffers through which its inputs travel.
    backend.compile(&counting(100_000)).expect_err("400 kB each");
    assert_eq!(backend.stats().bytes, before);
    backend.compile(&counting(50_000)).expect("an arena of the same name and another length");
    assert!(backend.room() < (2 << 20) - 4 * 150_000, "{}", backend.room());
}

#[test]
fn a_tensor_beyond_the_largest_binding_is_named() {
    let Some(mut backend) = open(OpenOptions::default()) else {
        return;
    };
    let most = backend.plan_options(&Graph::new()).max_bytes / 4;
    let mut g = Graph::new();
    let x = g.input("x", &[8, 1], DType::F32).expect("new");
    let wide = g.broadcast_to(x, &[8, most]).expect("broadcasts");
    let y = g.relu(wide).expect("a float");
    g.output("y", y).expect("new");
    let error = backend.compile(&g).expect_err("eight times too large");
    assert!(matches!(error, BackendError::Graph(GraphError::TooLarge { .. })), "{error}");
}

#[test]
fn a_lost_device_is_reported_as_lost() {
    let Some(mut backend) = open(OpenOptions::default()) else {
        return;
    };
    let plan = backend.compile(&counting(3)).expect("compiles");
    backend.gpu().destroy();
    let error = backend.run(plan, &[Tensor::zeros([3], DType::F32)]).expect_err("it is gone");
    assert!(matches!(error, BackendError::DeviceLost { .. }), "{error}");
    assert!(matches!(backend.read_arena("total"), Err(BackendError::DeviceLost { .. })));
}

#[test]
fn an_adapter_without_16_bit_floats_says_so_and_runs_32_bits() {
    let Some(mut backend) = open(OpenOptions { without_f16: true, ..OpenOptions::default() }) else {
        return;
    };
    assert_eq!(backend.half_precision(), HalfPrecision::Missing);
    let mut g = Graph::new();
    let x = g.input("x", &[3], DType::F32).expect("new");
    let half = g.cast(x, DType::F16).unwrap();
    g.output("half", half).expect("new");
    let error = backend.compile(&g).expect_err("no 16 bits").to_string();
    assert!(error.contains("SHADER_F16") && error.contains("--precision f32"), "{error}");
    backend.compile(&counting(3)).expect("32 bits compile");
    let Some(with) = open(OpenOptions::default()) else {
        return;
    };
    // Software Vulkan has them; whatever another device has, it must not be told to be fast in software.
    let software = with.gpu().summary().kind == chiaro_gpu::AdapterKind::Software;
    assert!(!software || with.half_precision() == HalfPrecision::Slow);
}
