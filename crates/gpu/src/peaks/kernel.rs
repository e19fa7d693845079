//! A kernel that is measured alone, by the device's clock where it has one that makes sense.

use std::sync::Arc;
use std::time::Duration;

use chiaro_graph::Clock;
use chiaro_graph::clock::Instant;

use crate::device::timestamps::Timestamps;
use crate::{BindGroup, Binding, Gpu, GpuBuffer, GpuError, KernelSource, Pipeline, spread};

/// Runs are repeated for so long, and the fastest counts: clocks rise under load, and other programs leave gaps.
const ENOUGH: Duration = Duration::from_millis(250);

/// A kernel with its buffers.
pub(super) struct MeasuredKernel {
    pipeline: Arc<Pipeline>,
    bound: BindGroup,
    /// Dispatches in a pass.
    repeats: u32,
}

impl MeasuredKernel {
    /// `repeats` dispatches of an entry point of `source` in one pass.
    pub fn new(
        gpu: &Gpu,
        source: &str,
        entry: &str,
        buffers: [&GpuBuffer; 2],
        repeats: u32,
    ) -> Result<MeasuredKernel, GpuError> {
        let mut kernel = KernelSource::own(format!("peak of {entry}"), source).unchecked();
        kernel.entry = entry.to_owned();
        let pipeline = gpu.pipeline(&kernel)?;
        let bound = gpu.bind(&pipeline, &buffers.map(Binding::from))?;
        Ok(MeasuredKernel { pipeline, bound, repeats })
    }

    /// Seconds of a dispatch of `workgroups` workgroups, by the device's clock where it has one that makes sense.
    pub fn seconds(&self, gpu: &Gpu, workgroups: u64) -> Result<(f64, Clock), GpuError> {
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

    /// The fastest of many such runs.
    pub fn fastest(&self, gpu: &Gpu, workgroups: u64) -> Result<(f64, Clock), GpuError> {
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
