//! What happens when a device is lost, hangs, or fails where nobody looks.

mod support;

use std::time::Duration;

use chiaro_gpu::{Binding, GpuError, KernelSource, OpenOptions, StepQueue, StepSizes};
use support::{AXPY, assert_usable, filled};

#[test]
fn after_a_loss_every_operation_says_so() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let source = KernelSource::new("axpy", AXPY);
    let pipeline = gpu.pipeline(&source).expect("compiles");
    let (x, y) = (filled(&gpu, "x", &[1.0]), filled(&gpu, "y", &[1.0]));
    let parts = [Binding::from(&x), Binding::from(&y)];
    let bound = gpu.bind(&pipeline, &parts).expect("binds");
    let sizes = StepSizes { upload: 16, readback: 16 };
    let mut queue = StepQueue::new(&gpu, sizes).expect("queue");
    let mut step = queue.begin().expect("begin");
    step.pass("axpy", |pass| pass.dispatch(&pipeline, &bound, [1; 3], &[])).expect("records");
    step.readback(&y, 0, 4).expect("readback");
    let ticket = step.submit().expect("submit").expect("a ticket");

    // Behind the back of this crate, and with no work in flight: wgpu reports a destruction only after the work ended.
    gpu.wait_idle().expect("waits");
    gpu.wgpu_device().destroy();

    let other = KernelSource::new("axpy", AXPY).constant("factor", 7.0);
    let errors = [
        gpu.storage_buffer("b", 16).err(),
        gpu.upload(&x, 0, &[0; 4]).err(),
        gpu.download(&x, 0, 4).err(),
        gpu.pipeline(&source).err(),
        gpu.pipelines(&[other]).err(),
        gpu.bind(&pipeline, &parts).err(),
        queue.begin().err(),
        queue.read(ticket).err(),
        gpu.wait_idle().err(),
        gpu.check().err(),
    ];
    for (place, error) in errors.iter().enumerate() {
        assert!(matches!(error, Some(GpuError::DeviceLost { .. })), "operation {place}: {error:?}");
    }
}

#[test]
fn a_step_that_was_begun_before_the_loss_fails_with_it() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let y = filled(&gpu, "y", &[1.0; 4]);
    let sizes = StepSizes { upload: 16, readback: 16 };
    let mut queue = StepQueue::new(&gpu, sizes).expect("queue");
    let mut step = queue.begin().expect("begin");
    step.upload(&y, 0, &[0; 4]).expect("upload");
    gpu.destroy();
    let error = step.submit().expect_err("the device is gone");
    assert!(matches!(error, GpuError::DeviceLost { .. }), "{error}");
    let error = queue.begin().err().expect("the device is gone");
    assert!(matches!(error, GpuError::DeviceLost { .. }), "{error}");
}

#[test]
fn an_error_that_no_scope_caught_is_told_once() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let _invalid = gpu.wgpu_device().create_buffer(&wgpu::BufferDescriptor {
        label: Some("stray"),
        size: u64::MAX,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    let error = gpu.storage_buffer("next", 16).expect_err("told here");
    assert!(matches!(error, GpuError::Validation { .. }), "{error}");
    assert!(error.to_string().contains("stray"), "{error}");
    assert_usable(&gpu);
}

/// A kernel that would run for minutes, or for seconds on a fast GPU, against a limit of one.
#[test]
fn work_that_does_not_end_in_time_is_a_timeout_and_the_device_can_be_dropped() {
    let Some(gpu) = support::open(OpenOptions { timeout: Some(Duration::from_secs(1)), ..Default::default() }) else {
        return;
    };
    let wgsl = "@group(0) @binding(0) var<storage, read_write> state: array<u32>;
        @compute @workgroup_size(1)
        fn main(@builtin(workgroup_id) id: vec3<u32>) {
            var value = state[id.x] + id.x + 1u;
            for (var i = 0u; i < 100000000u; i++) { value ^= value << 13u; value ^= value >> 17u; value ^= value << 5u; }
            state[id.x] = value;
        }";
    let state = filled(&gpu, "state", &[1.0; 2000]);
    support::run_once(&gpu, &KernelSource::new("long", wgsl), &[&state], [2000, 1, 1]).expect("submits");
    let error = gpu.download(&state, 0, 4).expect_err("not within a second");
    assert!(matches!(error, GpuError::Timeout { .. }), "{error}");
    let later = gpu.storage_buffer("later", 4).expect_err("given up");
    assert_eq!(later, error, "the first error is the one shown");
    drop((state, gpu));
}
