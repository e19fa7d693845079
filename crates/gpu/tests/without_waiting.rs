//! The forms that never wait: steps, arenas and readings as a browser has them.

mod support;

use chiaro_gpu::{AdapterKind, BackendOptions, GpuBackend};
use chiaro_graph::{ARENA_ALIGNMENT, Backend, BackendError, DType, Graph, PlanId, Target, Tensor};

const LEN: usize = 64;

/// `sum += x`; outputs the new sum, small or, with many copies of it, too large to travel with its step.
fn compiled(backend: &mut GpuBackend, copies: usize) -> PlanId {
    let mut g = Graph::new();
    let x = g.input("x", &[1, LEN], DType::F32).expect("new");
    let arena = g.arena("sums", DType::F32).expect("new");
    let state = g.state(arena, "sum", &[1, LEN]).expect("new");
    let old = g.state_value(state).expect("owned");
    let new = g.add(old, x).expect("fits");
    g.assign(Target::State(state), new).expect("fits");
    let many = g.broadcast_to(new, &[copies, LEN]).expect("fits");
    g.output("sum", many).expect("new");
    pollster::block_on(backend.compile_async(&g)).expect("compiled")
}

fn ones() -> [Tensor; 1] {
    [Tensor::f32([1, LEN], vec![1.0; LEN]).expect("a row")]
}

fn backend() -> Option<GpuBackend> {
    Some(GpuBackend::new(support::open(Default::default())?, BackendOptions::default()))
}

fn first(tensor: Result<Tensor, BackendError>) -> f64 {
    tensor.expect("read").to_f64()[0]
}

#[test]
fn steps_writes_and_readings_never_wait() {
    for copies in [1, 1000] {
        let Some(mut backend) = backend() else { return };
        let plan = compiled(&mut backend, copies);
        // llvmpipe itself blocks in a submission until the one before has ended.
        let software = backend.gpu().summary().kind == AdapterKind::Software;
        let idle = |backend: &mut GpuBackend| {
            if software {
                pollster::block_on(backend.wait_async()).expect("idle");
            }
        };
        let before = backend.gpu().counters().waits;
        for step in 1..=5 {
            pollster::block_on(backend.turn_async(plan)).expect("its turn");
            backend.submit(plan, &ones()).expect("submitted");
            idle(&mut backend);
            assert_eq!(first(pollster::block_on(backend.read_async(plan, 0))), f64::from(step));
        }
        idle(&mut backend);
        backend.write_arena("sums", &Tensor::zeros([ARENA_ALIGNMENT], DType::F32)).expect("written");
        idle(&mut backend);
        assert_eq!(first(pollster::block_on(backend.read_arena_async("sums"))), 0.0);
        pollster::block_on(backend.wait_async()).expect("idle");
        assert_eq!(backend.gpu().counters().waits, before);
        backend.wait().expect("idle");
        assert!(backend.gpu().counters().waits > before, "the counter counts");
    }
}

#[test]
fn a_reading_is_of_its_moment_whatever_is_submitted_before_it_is_awaited() {
    for copies in [1, 1000] {
        let Some(mut backend) = backend() else { return };
        let plan = compiled(&mut backend, copies);
        backend.submit(plan, &ones()).expect("submitted");
        let (output, arena) = (backend.read_async(plan, 0), backend.read_arena_async("sums"));
        let again = backend.read_async(plan, 0);
        backend.submit(plan, &ones()).expect("submitted");
        let later = backend.read_async(plan, 0);
        backend.write_arena("sums", &Tensor::zeros([ARENA_ALIGNMENT], DType::F32)).expect("written");
        assert_eq!(first(pollster::block_on(later)), 2.0);
        assert_eq!(first(pollster::block_on(again)), 1.0);
        drop(output);
        assert_eq!(first(pollster::block_on(arena)), 1.0);
        assert_eq!(first(backend.read_arena("sums")), 0.0);
    }
}

#[test]
fn steps_out_of_turn_take_memory_and_those_in_turn_none() {
    let Some(mut backend) = backend() else { return };
    let plan = compiled(&mut backend, 1);
    backend.run(plan, &ones()).expect("run");
    let start = backend.stats().allocations;
    for _ in 0..20 {
        pollster::block_on(backend.turn_async(plan)).expect("its turn");
        backend.submit(plan, &ones()).expect("submitted");
    }
    for _ in 0..20 {
        backend.run(plan, &ones()).expect("run");
    }
    assert_eq!(backend.stats().allocations, start);
    for _ in 0..20 {
        backend.submit(plan, &ones()).expect("submitted");
    }
    assert_eq!(first(backend.read(plan, 0)), 61.0, "none is lost");
}

#[test]
fn what_is_wrong_is_told_by_the_form_that_waits_not_too() {
    let Some(mut backend) = backend() else { return };
    let plan = compiled(&mut backend, 1);
    let unknown = |error: Option<BackendError>| matches!(error, Some(BackendError::Unknown(_)));
    assert!(unknown(pollster::block_on(backend.read_async(plan, 0)).err()), "nothing was run");
    assert!(unknown(pollster::block_on(backend.read_arena_async("other")).err()));
    assert!(matches!(backend.submit(plan, &[]), Err(BackendError::Unknown(_))));
    let reading = {
        backend.submit(plan, &ones()).expect("submitted");
        backend.read_async(plan, 0)
    };
    backend.release_plan(plan).expect("there");
    assert!(unknown(pollster::block_on(backend.turn_async(plan)).err()));
    assert_eq!(first(pollster::block_on(reading)), 1.0, "what was asked for before is answered");
    backend.gpu().destroy();
    assert!(matches!(pollster::block_on(backend.read_arena_async("sums")), Err(BackendError::DeviceLost { .. })));
}
