//! Steps: a hundred of them through the rings, one submission each, and nothing allocated on the way.

mod support;

use chiaro_gpu::{Binding, GpuError, KernelSource, OpenOptions, StepQueue, StepSizes};
use support::{AXPY, filled, floats, values};

const LENGTH: usize = 1000;
const BYTES: u64 = 4 * LENGTH as u64;

fn input(step: usize) -> Vec<f32> {
    (0..LENGTH).map(|i| ((step * 7 + i) % 64) as f32).collect()
}

/// `y += 2 x` with a new `x` a step; every fifth step is read back, three steps later.
#[test]
fn a_hundred_steps_are_a_hundred_submissions_and_no_allocation() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let pipeline = gpu.pipeline(&KernelSource::new("axpy", AXPY)).expect("compiles");
    let x = filled(&gpu, "x", &[0.0; LENGTH]);
    let y = filled(&gpu, "y", &[0.0; LENGTH]);
    let bound = gpu.bind(&pipeline, &[Binding::from(&x), Binding::from(&y)]).expect("binds");
    let sizes = StepSizes { upload: BYTES + 16, readback: BYTES + 16 };
    let mut queue = StepQueue::new(&gpu, sizes).expect("queue");
    let mut expected = vec![0.0f32; LENGTH];
    let mut waiting = std::collections::VecDeque::new();
    let start = gpu.counters();
    for number in 0..100 {
        let data = input(number);
        for (sum, value) in expected.iter_mut().zip(&data) {
            *sum += 2.0 * value;
        }
        queue.turn().expect("its turn");
        let before = gpu.counters();
        let mut step = queue.begin().expect("begin");
        let (head, tail) = data.split_at(10);
        step.upload(&x, 0, bytemuck::cast_slice(head)).expect("upload");
        step.upload(&x, 40, bytemuck::cast_slice(tail)).expect("upload");
        step.pass("axpy", |pass| pass.dispatch(&pipeline, &bound, [16, 1, 1], &[])).expect("dispatch");
        if number % 5 == 0 {
            step.readback(&y, 0, BYTES).expect("readback");
            step.readback(&x, 8, 4).expect("readback");
        }
        if let Some(ticket) = step.submit().expect("submit") {
            waiting.push_back((number, ticket, expected.clone(), data[2]));
        }
        let after = gpu.counters();
        assert_eq!(after.submissions - before.submissions, 1, "step {number}");
        assert_eq!(after.dispatches - before.dispatches, 1, "step {number}");
        if number % 5 == 3 {
            let (of, ticket, sums, third) = waiting.pop_front().expect("a ticket");
            let results = queue.read(ticket).expect("read");
            assert_eq!(floats(&results[0]), sums, "step {of}");
            assert_eq!(floats(&results[1]), [third], "step {of}");
        }
    }
    let end = gpu.counters();
    assert_eq!(end.count, start.count, "no buffer was made");
    assert_eq!((end.bytes, end.bind_groups, end.pipelines), (start.bytes, start.bind_groups, start.pipelines));
    assert_eq!(end.submissions - start.submissions, 100);
    assert_eq!(values(&gpu, &y), expected);
}

#[test]
fn results_are_kept_for_three_steps_and_dropped_with_their_ticket() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let y = filled(&gpu, "y", &[5.0; 4]);
    let sizes = StepSizes { upload: 16, readback: 16 };
    let mut queue = StepQueue::new(&gpu, sizes).expect("queue");
    let mut submit = |value: f32| {
        let mut step = queue.begin().expect("begin");
        step.upload(&y, 4, &value.to_le_bytes()).expect("upload");
        step.readback(&y, 4, 4)?;
        Ok::<_, GpuError>(step.submit().expect("submit").expect("a ticket"))
    };
    let mut tickets: Vec<_> = (0..3).map(|i| submit(i as f32).expect("room")).collect();
    let error = submit(9.0).expect_err("three are unread");
    assert!(matches!(error, GpuError::Limit { .. }), "{error}");
    drop(tickets.remove(1));
    tickets.push(submit(4.0).expect("the dropped one made room"));
    for (ticket, expected) in tickets.into_iter().zip([0.0, 2.0, 4.0]) {
        let results = queue.read(ticket).expect("read");
        assert_eq!(floats(&results[0]), [expected]);
    }
    assert_eq!(values(&gpu, &y), [5.0, 4.0, 5.0, 5.0]);
}

#[test]
fn a_ticket_becomes_ready_without_waiting_and_belongs_to_one_queue() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let y = filled(&gpu, "y", &[5.0; 4]);
    let sizes = StepSizes { upload: 0, readback: 16 };
    let mut queue = StepQueue::new(&gpu, sizes).expect("queue");
    let other = StepQueue::new(&gpu, sizes).expect("queue");
    let mut step = queue.begin().expect("begin");
    step.readback(&y, 0, 16).expect("readback");
    let ticket = step.submit().expect("submit").expect("a ticket");
    gpu.wait_idle().expect("waits");
    assert_eq!(queue.ready(&ticket), Ok(true));
    assert!(matches!(other.read(ticket), Err(GpuError::Validation { .. })));
}

#[test]
fn a_step_cannot_stage_more_than_was_agreed_and_may_be_dropped() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let y = filled(&gpu, "y", &[5.0; 16]);
    let sizes = StepSizes { upload: 32, readback: 32 };
    let mut queue = StepQueue::new(&gpu, sizes).expect("queue");
    for _ in 0..5 {
        let mut step = queue.begin().expect("begin");
        step.upload(&y, 0, &[1; 32]).expect("fits");
        let error = step.upload(&y, 0, &[1; 4]).expect_err("full");
        assert!(matches!(error, GpuError::Limit { .. }), "{error}");
        let error = step.readback(&y, 0, 36).expect_err("too long");
        assert!(matches!(error, GpuError::Limit { .. }), "{error}");
    }
    assert_eq!(values(&gpu, &y), [5.0; 16], "a dropped step does nothing");
    let mut step = queue.begin().expect("begin");
    step.upload(&y, 0, bytemuck::cast_slice(&[6.0f32; 8])).expect("fits");
    step.submit().expect("submit");
    assert_eq!(values(&gpu, &y)[7..9], [6.0, 5.0]);
}
