//! The measured roofline: bytes a second of a copy, operations a second of a long loop of multiply-adds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chiaro_graph::{Clock, Peaks};

use crate::timestamps::Timestamps;
use crate::{AdapterKind, BindGroup, Binding, Gpu, GpuBuffer, GpuError, KernelSource, Pipeline, spread};

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

/// Runs are repeated for so long, and the fastest counts: clocks rise under load, and other programs leave gaps.
const ENOUGH: Duration = Duration::from_millis(250);

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

/// A kernel with its two buffers.
struct Kernel {
    pipeline: Arc<Pipeline>,
    bound: BindGroup,
    /// Dispatches in a pass.
    repeats: u32,
}

impl Kernel {
    fn new(gpu: &Gpu, source: &str, entry: &str, buffers: [&GpuBuffer; 2], repeats: u32) -> Result<Kernel, GpuError> {
        let mut kernel = KernelSource::new(format!("peak of {entry}"), source);
        kernel.entry = entry.to_owned();
        kernel.checked = Some(false);
        let pipeline = gpu.pipeline(&kernel)?;
        let bound = gpu.bind(&pipeline, &buffers.map(Binding::from))?;
        Ok(Kernel { pipeline, bound, repeats })
    }

    /// Seconds of a dispatch of `workgroups` workgroups, by the device's clock where it has one that makes sense.
    fn seconds(&self, gpu: &Gpu, workgroups: u64) -> Result<(f64, Clock), GpuError> {
        let too_many = || GpuError::Limit {
            what: "the measurement of peaks (workgroups)".to_owned(),
            needed: workgroups,
            available: u64::from(u32::MAX),
            hint: "measure on another device".to_owned(),
        };
        let [x, y, z] = spread(workgroups).ok_or_else(too_many)?;
        let stamps = Timestamps::new(gpu, 1)?;
        gpu.wait_idle()?;
        let started = Instant::now();
        let mut encoder = gpu.encoder("peaks")?;
        gpu.timed_pass(&mut encoder, "peaks", stamps.as_ref().map(|s| s.of(0)), |pass| {
            (0..self.repeats).try_for_each(|_| pass.dispatch(&self.pipeline, &self.bound, [x, y, z], &[]))
        })?;
        if let Some(stamps) = &stamps {
            stamps.resolve(&mut encoder);
        }
        gpu.submit("the measurement of peaks", encoder)?;
        gpu.wait_idle()?;
        let host = started.elapsed().as_secs_f64();
        let device = stamps.map(|stamps| stamps.read(gpu)).transpose()?;
        let device = device.and_then(|times| times.first().map(|(begin, end)| end - begin));
        // A driver may have the feature and write nothing useful.
        let (seconds, clock) = match device.filter(|seconds| *seconds > 0.01 * host && *seconds <= host) {
            Some(seconds) => (seconds, Clock::Device),
            None => (host, Clock::Host),
        };
        Ok((seconds / f64::from(self.repeats), clock))
    }

    fn fastest(&self, gpu: &Gpu, workgroups: u64) -> Result<(f64, Clock), GpuError> {
        let started = Instant::now();
        let mut best = self.seconds(gpu, workgroups)?;
        while started.elapsed() < ENOUGH {
            let next = self.seconds(gpu, workgroups)?;
            if next.0 < best.0 {
                best = next;
            }
        }
        Ok(best)
    }
}

/// Bytes a second, read and written, of a copy that no cache holds.
fn copied(gpu: &Gpu) -> Result<(f64, Clock), GpuError> {
    let software = gpu.summary().kind == AdapterKind::Software;
    let wanted: u64 = if software { 64 << 20 } else { 256 << 20 };
    let free = gpu.budget_bytes().saturating_sub(gpu.counters().bytes);
    let bytes = wanted.min(gpu.limits().binding_bytes).min(free / 4).max(COPIED_BYTES) / COPIED_BYTES * COPIED_BYTES;
    let (source, target) = (gpu.storage_buffer("copy source", bytes)?, gpu.storage_buffer("copy target", bytes)?);
    let kernel = Kernel::new(gpu, SOURCE, "copy", [&source, &target], COPIES)?;
    let workgroups = bytes / COPIED_BYTES;
    kernel.seconds(gpu, workgroups)?;
    let (seconds, clock) = kernel.fastest(gpu, workgroups)?;
    Ok((2.0 * bytes as f64 / seconds, clock))
}

/// Operations a second of a loop of multiply-adds on all of the device.
fn multiplied(gpu: &Gpu, source: &str) -> Result<(f64, Clock), GpuError> {
    let bytes = 16 * INVOCATIONS;
    let (input, output) = (gpu.storage_buffer("loop input", bytes)?, gpu.storage_buffer("loop output", bytes)?);
    let kernel = Kernel::new(gpu, source, "multiply_add", [&input, &output], 1)?;
    let mut workgroups = 16;
    kernel.seconds(gpu, workgroups)?;
    // No device here needs more than a few of these doublings; the bound keeps a clock that stands from looping for ever.
    while workgroups < 1 << 22 && kernel.seconds(gpu, workgroups)?.0 < LONG_ENOUGH {
        workgroups *= 2;
    }
    let (seconds, clock) = kernel.fastest(gpu, workgroups)?;
    Ok(((workgroups * INVOCATIONS * INVOCATION_FLOPS) as f64 / seconds, clock))
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
