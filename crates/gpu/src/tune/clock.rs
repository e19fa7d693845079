//! How long dispatches take: by the device's own timestamps where it has them, else by the wall clock.

use std::time::Instant;

use super::trial::Ready;
use crate::buffer::Role;
use crate::{Gpu, GpuBuffer, GpuError};

/// Two timestamps, and where they are read back from.
pub(super) struct Clock {
    stamps: Option<(wgpu::QuerySet, GpuBuffer)>,
    /// Seconds of a unit of the timestamps.
    period: f64,
}

const STAMP_BYTES: u64 = 16;

impl Clock {
    pub fn new(gpu: &Gpu) -> Result<Clock, GpuError> {
        let period = f64::from(gpu.queue().get_timestamp_period()) * 1e-9;
        if !gpu.features().timestamps || period == 0.0 {
            return Ok(Clock { stamps: None, period });
        }
        let set = gpu.scoped("timestamps", |device| {
            device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            })
        })?;
        Ok(Clock { stamps: Some((set, gpu.buffer("timestamps", STAMP_BYTES, Role::Queries)?)), period })
    }

    /// Seconds of one of `times` runs of the dispatches, one behind the other in a pass.
    pub fn seconds(&self, gpu: &Gpu, dispatches: &[Ready], times: u32) -> Result<f64, GpuError> {
        let mut encoder = gpu.encoder("tuning")?;
        let timestamp_writes = self.stamps.as_ref().map(|(query_set, _)| wgpu::ComputePassTimestampWrites {
            query_set,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        });
        let mut pass =
            encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some("tuning"), timestamp_writes });
        for dispatch in (0..times).flat_map(|_| dispatches) {
            pass.set_pipeline(&dispatch.pipeline.raw);
            pass.set_bind_group(0, &dispatch.bound.raw, &[]);
            let [x, y, z] = dispatch.workgroups;
            pass.dispatch_workgroups(x, y, z);
        }
        drop(pass);
        if let Some((set, buffer)) = &self.stamps {
            encoder.resolve_query_set(set, 0..2, buffer.raw(), 0);
        }
        let started = Instant::now();
        let submission = gpu.submit("tuning", encoder)?;
        gpu.wait("tuning", Some(submission))?;
        let by_wall = started.elapsed().as_secs_f64() / f64::from(times);
        let Some((_, buffer)) = &self.stamps else { return Ok(by_wall) };
        let stamps: Vec<u64> = bytemuck::pod_collect_to_vec(&gpu.download(buffer, 0, STAMP_BYTES)?);
        // A driver may give two equal stamps, or none.
        match stamps[..] {
            [from, to] if to > from => Ok((to - from) as f64 * self.period / f64::from(times)),
            _ => Ok(by_wall),
        }
    }
}
