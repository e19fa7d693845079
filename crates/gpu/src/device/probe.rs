//! A test that every device passes before it is used: does a long loop run to its end?
//!
//! Mesa 22.3's llvmpipe ends every invocation after about 65,535 iterations, without any error.

use crate::device::pipeline::KernelSource;
use crate::{AdapterSummary, Binding, Gpu, GpuError};

/// Three times what the known bad driver does, and still under a millisecond or two on everything.
const ITERATIONS: u32 = 200_000;
const SEED: u32 = 0x9e37_79b9;

/// Runs a loop of [`ITERATIONS`] and compares its result with the same loop here.
pub(crate) async fn loops(gpu: &Gpu) -> Result<(), GpuError> {
    // wgpu's own bounding of loops would be one more suspect.
    let source = KernelSource::own("loop probe", include_str!("probe.wgsl")).unchecked();
    let pipeline = gpu.pipeline(&source)?;
    let buffer = gpu.storage_buffer("loop probe", 8)?;
    let words = [ITERATIONS.to_le_bytes(), SEED.to_le_bytes()].concat();
    gpu.upload(&buffer, 0, &words)?;
    let bound = gpu.bind(&pipeline, &[Binding::from(&buffer)])?;
    let mut encoder = gpu.encoder("loop probe")?;
    gpu.pass(&mut encoder, "loop probe", |pass| pass.dispatch(&pipeline, &bound, [1, 1, 1], &[]))?;
    gpu.submit("the loop probe", encoder)?;
    let result = gpu.download_async(&buffer, 4, 4).await?;
    let value = result.try_into().map_or(0, u32::from_le_bytes);
    verdict(gpu.summary(), value)
}

fn verdict(adapter: &AdapterSummary, value: u32) -> Result<(), GpuError> {
    let counted = counted(value);
    if counted == Some(ITERATIONS) {
        return Ok(());
    }
    Err(GpuError::DriverStopsLoops {
        adapter: adapter.name.clone(),
        driver: adapter.driver.clone(),
        counted: counted.unwrap_or(0),
        wanted: ITERATIONS,
        hint: if adapter.driver.contains("llvmpipe") || adapter.name.contains("llvmpipe") {
            "Install Mesa 25 or later (on Debian 12 from bookworm-backports: \
             apt-get install -t bookworm-backports mesa-vulkan-drivers), or use the CPU backend"
        } else {
            "Install a newer driver, or use the CPU backend"
        }
        .to_owned(),
    })
}

/// One iteration of the kernel's generator.
fn step(mut state: u32) -> u32 {
    state ^= state << 13;
    state ^= state >> 17;
    state ^ (state << 5)
}

/// After how many iterations the generator has this value, up to those asked for.
fn counted(value: u32) -> Option<u32> {
    let mut state = SEED;
    for count in 0..ITERATIONS {
        if state == value {
            return Some(count);
        }
        state = step(state);
    }
    (state == value).then_some(ITERATIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generator's value after `count` iterations.
    fn value_after(count: u32) -> u32 {
        (0..count).fold(SEED, |state, _| step(state))
    }

    #[test]
    fn a_driver_that_cuts_a_loop_short_is_named_with_the_count() {
        let adapter = AdapterSummary {
            index: 0,
            name: "llvmpipe".to_owned(),
            backend: "vulkan".to_owned(),
            driver: "Mesa 22.3.6".to_owned(),
            kind: crate::AdapterKind::Software,
            pci: (0, 0),
            features: Default::default(),
            limits: Default::default(),
        };
        assert_eq!(verdict(&adapter, value_after(ITERATIONS)), Ok(()));
        let error = verdict(&adapter, value_after(65_535)).expect_err("cut short");
        assert!(matches!(error, GpuError::DriverStopsLoops { counted: 65_535, .. }), "{error}");
        assert!(error.to_string().contains("Mesa 22.3.6"), "{error}");
        // A xorshift generator never reaches zero: this is a wrong result of another kind, and refused too.
        assert!(matches!(verdict(&adapter, 0), Err(GpuError::DriverStopsLoops { counted: 0, .. })));
    }
}
