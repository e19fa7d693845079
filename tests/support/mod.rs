//! The backends that every suite runs on. On the GPU that is the software adapter, so that all machines test the same.
#![allow(dead_code, reason = "each test file is a program of its own and uses a part of this")]

use chiaro::cpu::Cpu;
use chiaro::gpu::{BackendOptions, Gpu, GpuBackend, GpuError, OpenOptions, Selection};
use chiaro::graph::PlanId;
use chiaro::nn::TrainStep;
use chiaro::{Backend, Tensor};

/// The CPU backend with a thread for each core.
pub fn cpu() -> Cpu {
    Cpu::new(None).expect("threads")
}

/// The GPU backend; where there is no adapter it says so and gives none. `CHIARO_TEST_DEVICE` names another device than
/// `gpu:software`; `CHIARO_REQUIRE_GPU=1` turns absence into a failure.
pub fn gpu() -> Option<GpuBackend> {
    let name = std::env::var("CHIARO_TEST_DEVICE").unwrap_or_else(|_| "gpu:software".into());
    let selection: Selection = name.parse().expect("a device name");
    match Gpu::open(&selection, OpenOptions::default()) {
        Ok(gpu) => Some(GpuBackend::new(gpu, BackendOptions::default())),
        Err(error @ GpuError::NoAdapter { .. }) => {
            let required = std::env::var("CHIARO_REQUIRE_GPU").is_ok_and(|value| value == "1");
            assert!(!required, "CHIARO_REQUIRE_GPU=1, but {error}");
            eprintln!("not run on the GPU: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Compiles a training step and sets its arenas as `seed` says.
pub fn start(backend: &mut dyn Backend, step: &TrainStep, seed: u64) -> PlanId {
    let plan = backend.compile(&step.graph).expect("the step compiles");
    for (name, values) in step.initial_arenas(seed) {
        backend.write_arena(&name, &values).expect("an arena of the step");
    }
    plan
}

/// Noisy images `[n,size,size,1]` with a bright row for their class, of which there are 4. Batches differ by `index`.
pub fn bright_rows(n: usize, size: usize, index: u64) -> (Tensor, Tensor) {
    let mut state = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 24) as f32
    };
    let labels: Vec<i32> = (0..n).map(|_| (next() * 4.0) as i32).collect();
    let mut pixels = vec![];
    for &label in &labels {
        let bright = label as usize * size / 4;
        pixels.extend((0..size * size).map(|p| next() - 0.5 + if p / size == bright { 0.7 } else { 0.0 }));
    }
    let images = Tensor::f32([n, size, size, 1], pixels).expect("as many pixels");
    (images, Tensor::i32([n], labels).expect("as many labels"))
}
