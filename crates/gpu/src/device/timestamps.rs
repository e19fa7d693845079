//! Timestamps of passes, written by the device itself.

use crate::device::buffer::{BufferRole, GpuBuffer};
use crate::{Gpu, GpuError};

/// Passes whose two timestamps fit into one query set.
const PASSES_OF_A_SET: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

/// Bytes of a pass's two timestamps.
const PASS_BYTES: u64 = 2 * wgpu::QUERY_SIZE as u64;

/// Room for the begin and the end of some passes, in as many query sets as that takes.
pub(crate) struct Timestamps {
    sets: Vec<wgpu::QuerySet>,
    resolved: GpuBuffer,
    passes: usize,
}

impl Timestamps {
    /// Room for `passes` passes; `None` where the device writes no timestamps.
    pub fn new(gpu: &Gpu, passes: usize) -> Result<Option<Timestamps>, GpuError> {
        if !gpu.features().timestamps || passes == 0 {
            return Ok(None);
        }
        let sets = gpu.scoped("the timestamps of passes", |device| {
            let set = |first: usize| {
                let passes = (passes - first).min(PASSES_OF_A_SET);
                device.create_query_set(&wgpu::QuerySetDescriptor {
                    label: Some("timestamps"),
                    ty: wgpu::QueryType::Timestamp,
                    count: 2 * passes as u32,
                })
            };
            (0..passes).step_by(PASSES_OF_A_SET).map(set).collect()
        })?;
        let resolved = gpu.buffer("timestamps", passes as u64 * PASS_BYTES, BufferRole::Queries)?;
        Ok(Some(Timestamps { sets, resolved, passes }))
    }

    /// Where pass number `pass` writes.
    pub fn of(&self, pass: usize) -> wgpu::ComputePassTimestampWrites<'_> {
        let first = 2 * (pass % PASSES_OF_A_SET) as u32;
        wgpu::ComputePassTimestampWrites {
            query_set: &self.sets[pass / PASSES_OF_A_SET],
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        }
    }

    /// Records that the timestamps become readable; every pass has been recorded before.
    pub fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        for (i, set) in self.sets.iter().enumerate() {
            // A full set is a multiple of the alignment that this offset needs.
            let offset = (i * PASSES_OF_A_SET) as u64 * PASS_BYTES;
            encoder.resolve_query_set(set, 0..set.count(), self.resolved.raw(), offset);
        }
    }

    /// Begin and end of each pass in seconds from the earliest, once the submission is made.
    pub fn read(&self, gpu: &Gpu) -> Result<Vec<(f64, f64)>, GpuError> {
        let bytes = gpu.download(&self.resolved, 0, self.passes as u64 * PASS_BYTES)?;
        Ok(seconds(&bytes, f64::from(gpu.queue().get_timestamp_period())))
    }
}

/// Pairs of ticks of `period` nanoseconds as seconds from the earliest tick.
fn seconds(bytes: &[u8], period: f64) -> Vec<(f64, f64)> {
    let (ticks, _) = bytes.as_chunks::<8>();
    let ticks: Vec<u64> = ticks.iter().map(|tick| u64::from_le_bytes(*tick)).collect();
    let first = ticks.iter().copied().min().unwrap_or(0);
    let seconds = |tick: u64| (tick - first) as f64 * period * 1e-9;
    // Some drivers let a clock stand between two passes and step back by a tick: no time is negative.
    ticks.as_chunks::<2>().0.iter().map(|[begin, end]| (seconds(*begin), seconds(*end.max(begin)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_seconds_from_the_earliest_and_no_pass_ends_before_it_begins() {
        let ticks: Vec<u8> = [1000u64, 1500, 2000, 1900].iter().flat_map(|t| t.to_le_bytes()).collect();
        let times = seconds(&ticks, 10.0);
        assert_eq!(times.len(), 2);
        for ((begin, end), (b, e)) in times.iter().zip([(0.0, 5e-6), (1e-5, 1e-5)]) {
            assert!((begin - b).abs() < 1e-15 && (end - e).abs() < 1e-15, "{times:?}");
        }
    }

    #[test]
    fn a_full_query_set_ends_where_the_next_may_be_resolved() {
        assert!((PASSES_OF_A_SET as u64 * PASS_BYTES).is_multiple_of(wgpu::QUERY_RESOLVE_BUFFER_ALIGNMENT));
    }
}
