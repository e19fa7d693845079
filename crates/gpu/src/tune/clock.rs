//! How long dispatches take: by the device's own timestamps where it has them, else by the wall clock.

use chiaro_graph::clock::Instant;

use super::trial::Ready;
use crate::device::timestamps::Timestamps;
use crate::{Gpu, GpuError};

/// A stopwatch of the device.
pub(super) struct Stopwatch {
    stamps: Option<Timestamps>,
}

impl Stopwatch {
    pub fn new(gpu: &Gpu) -> Result<Stopwatch, GpuError> {
        Ok(Stopwatch { stamps: Timestamps::new(gpu, 1)? })
    }

    /// Seconds of one of `times` runs of the dispatches, one behind the other in a pass.
    pub fn seconds(&self, gpu: &Gpu, dispatches: &[Ready], times: u32) -> Result<f64, GpuError> {
        let mut encoder = gpu.encoder("tuning")?;
        let writes = self.stamps.as_ref().map(|stamps| stamps.of(0));
        gpu.timed_pass(&mut encoder, "tuning", writes, |pass| {
            let all = (0..times).flat_map(|_| dispatches);
            all.into_iter().try_for_each(|d| pass.dispatch(&d.pipeline, &d.bound, d.workgroups, &[]))
        })?;
        if let Some(stamps) = &self.stamps {
            stamps.resolve(&mut encoder);
        }
        let started = Instant::now();
        let submission = gpu.submit("tuning", encoder)?;
        gpu.wait("tuning", Some(submission))?;
        let by_wall = started.elapsed().as_secs_f64();
        let spans = self.stamps.as_ref().map(|stamps| stamps.read(gpu)).transpose()?.unwrap_or_default();
        // A driver may give two equal stamps, or none.
        let by_stamps = spans.first().map(|(from, to)| to - from).filter(|seconds| *seconds > 0.0);
        Ok(by_stamps.unwrap_or(by_wall) / f64::from(times))
    }
}
