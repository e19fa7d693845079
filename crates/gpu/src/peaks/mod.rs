//! The measured roofline: bytes a second of a copy, operations a second of a long loop of multiply-adds.

mod kernel;
mod single;

use chiaro_graph::{Clock, Peaks};

use crate::{AdapterKind, Gpu, GpuError};
use kernel::MeasuredKernel;
pub use single::{Figure, Peak};

const SOURCE: &str = include_str!("peaks.wgsl");

/// Invocations of a workgroup, and rounds of the loop, as the source has them.
const INVOCATIONS: u64 = 256;
const ROUNDS: u64 = 256;

/// Bytes that a workgroup copies: eight vectors an invocation.
const COPIED_BYTES: u64 = INVOCATIONS * 8 * 16;

/// Operations of an invocation: 16 multiply-adds of four lanes a round.
const INVOCATION_FLOPS: u64 = ROUNDS * 16 * 4 * 2;

/// A timing counts once it has taken so long; shorter ones are mostly start-up.
const LONG_ENOUGH: f64 = 0.01;

/// Copies in one pass, so that its begin and end do not count.
const COPIES: u32 = 8;

/// Measures the device.
pub(crate) fn measure(gpu: &Gpu) -> Result<Peaks, GpuError> {
    let (bytes, clock) = copied(gpu)?;
    let (flops, _) = multiplied(gpu, SOURCE)?;
    let flops_f16 = match gpu.features().f16 {
        true => Some(multiplied(gpu, &f16_source())?.0),
        false => None,
    };
    Ok(Peaks { flops, flops_f16, bytes, clock })
}

/// The same loop in f16.
fn f16_source() -> String {
    format!("enable f16;\n{}", SOURCE.replace("alias Wide = vec4<f32>;", "alias Wide = vec4<f16>;"))
}

/// Bytes a second, read and written, of a copy that no cache holds.
fn copied(gpu: &Gpu) -> Result<(f64, Clock), GpuError> {
    let software = gpu.summary().kind == AdapterKind::Software;
    let wanted: u64 = if software { 64 << 20 } else { 256 << 20 };
    let free = gpu.budget_bytes().saturating_sub(gpu.counters().bytes);
    let bytes = wanted.min(gpu.limits().binding_bytes).min(free / 4).max(COPIED_BYTES) / COPIED_BYTES * COPIED_BYTES;
    let (source, target) = (gpu.storage_buffer("copy source", bytes)?, gpu.storage_buffer("copy target", bytes)?);
    let kernel = MeasuredKernel::new(gpu, SOURCE, "copy", [&source, &target], COPIES)?;
    let workgroups = bytes / COPIED_BYTES;
    kernel.seconds(gpu, workgroups)?;
    let (seconds, clock) = kernel.fastest(gpu, workgroups)?;
    Ok((2.0 * bytes as f64 / seconds, clock))
}

/// Operations a second of a loop of multiply-adds on all of the device.
fn multiplied(gpu: &Gpu, source: &str) -> Result<(f64, Clock), GpuError> {
    let bytes = 16 * INVOCATIONS;
    let (input, output) = (gpu.storage_buffer("loop input", bytes)?, gpu.storage_buffer("loop output", bytes)?);
    let kernel = MeasuredKernel::new(gpu, source, "multiply_add", [&input, &output], 1)?;
    let (workgroups, seconds, clock) = saturated(gpu, &kernel)?;
    Ok(((workgroups * INVOCATIONS * INVOCATION_FLOPS) as f64 / seconds, clock))
}

/// Workgroups of a kernel that keep the device busy long enough, and the fastest run of so many.
fn saturated(gpu: &Gpu, kernel: &MeasuredKernel) -> Result<(u64, f64, Clock), GpuError> {
    let mut workgroups = 16;
    kernel.seconds(gpu, workgroups)?;
    // No device here needs more than a few of these doublings; the bound keeps a clock that stands from looping for ever.
    while workgroups < 1 << 22 && kernel.seconds(gpu, workgroups)?.0 < LONG_ENOUGH {
        workgroups *= 2;
    }
    let (seconds, clock) = kernel.fastest(gpu, workgroups)?;
    Ok((workgroups, seconds, clock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_in_f16_differs_in_its_element_type() {
        assert!(SOURCE.contains("alias Wide = vec4<f32>;") && f16_source().contains("alias Wide = vec4<f16>;"));
        assert!(SOURCE.contains(&format!("override ROUNDS: u32 = {ROUNDS}u;")));
        assert_eq!(SOURCE.matches("fma(").count(), 16);
        assert!(SOURCE.contains("const COPIES: u32 = 8u;"));
    }
}
