//! What the GPU tests share: opening a device (the software adapter, so that every machine tests the same), a kernel
//! with its run, and conversions.
#![allow(dead_code, reason = "each test file is a program of its own and uses a part of this")]

use chiaro_gpu::{Binding, Gpu, GpuBuffer, GpuError, KernelSource, OpenOptions, Selection};

/// `y[i] = factor * x[i] + y[i]`, with an override constant for the factor and one for the workgroup size.
pub const AXPY: &str = "
override factor: f32 = 2.0;
override size: u32 = 64;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < arrayLength(&x)) { y[id.x] += factor * x[id.x]; }
}";

/// Opens the device to test on, or says why there is none. `CHIARO_TEST_DEVICE` names another one than the software
/// adapter; `CHIARO_REQUIRE_GPU=1` turns absence into a failure.
pub fn open(options: OpenOptions) -> Option<Gpu> {
    let wanted = std::env::var("CHIARO_TEST_DEVICE").unwrap_or_else(|_| "gpu:software".into());
    let selection: Selection = wanted.parse().expect("a device name");
    match Gpu::open(&selection, options) {
        Ok(gpu) => Some(gpu),
        Err(error @ GpuError::NoAdapter { .. }) => {
            let required = std::env::var("CHIARO_REQUIRE_GPU").is_ok_and(|value| value == "1");
            assert!(!required, "CHIARO_REQUIRE_GPU=1, but {error}");
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Runs a kernel once over `buffers`.
pub fn run_once(
    gpu: &Gpu,
    source: &KernelSource,
    buffers: &[&GpuBuffer],
    workgroups: [u32; 3],
) -> Result<(), GpuError> {
    let pipeline = gpu.pipeline(source)?;
    let parts: Vec<_> = buffers.iter().map(|buffer| Binding::from(*buffer)).collect();
    let bound = gpu.bind(&pipeline, &parts)?;
    let mut queue = chiaro_gpu::StepQueue::new(gpu, Default::default())?;
    let mut step = queue.begin()?;
    step.pass("test", |pass| pass.dispatch(&pipeline, &bound, workgroups, &[]))?;
    step.submit()?;
    Ok(())
}

/// A storage buffer with these values.
pub fn filled(gpu: &Gpu, label: &str, values: &[f32]) -> GpuBuffer {
    let bytes: &[u8] = bytemuck::cast_slice(values);
    let buffer = gpu.storage_buffer(label, bytes.len() as u64).expect("a small buffer");
    gpu.upload(&buffer, 0, bytes).expect("upload");
    buffer
}

/// The values of a buffer.
pub fn values(gpu: &Gpu, buffer: &GpuBuffer) -> Vec<f32> {
    floats(&gpu.download(buffer, 0, buffer.bytes()).expect("download"))
}

/// Bytes as floats.
pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytemuck::pod_collect_to_vec(bytes)
}

/// Runs [`AXPY`] and checks its result: the device still works.
pub fn assert_usable(gpu: &Gpu) {
    let x = filled(gpu, "x", &[1.0, 2.0, 3.0]);
    let y = filled(gpu, "y", &[10.0, 10.0, 10.0]);
    run_once(gpu, &KernelSource::new("axpy", AXPY), &[&x, &y], [1, 1, 1]).expect("axpy runs");
    assert_eq!(values(gpu, &y), [12.0, 14.0, 16.0]);
}
