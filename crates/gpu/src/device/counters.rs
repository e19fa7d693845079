//! Counts of what was asked of a device, so that "nothing is allocated after step 3" is a number and not a hope.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The live counters of one device. Relaxed: they are statistics and order nothing.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    allocations: AtomicU64,
    live_bytes: AtomicU64,
    peak_bytes: AtomicU64,
    bind_groups: AtomicU64,
    pipelines: AtomicU64,
    submissions: AtomicU64,
    waits: AtomicU64,
    dispatches: AtomicU64,
    uploaded: AtomicU64,
    downloaded: AtomicU64,
    encode_nanoseconds: AtomicU64,
}

/// A reading of a device's counters; subtract two readings to see what happened between them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AllocationCounter {
    /// Buffers created since the device was opened.
    pub count: u64,
    /// Bytes of the buffers alive now.
    pub bytes: u64,
    /// The most bytes that were alive at once.
    pub peak_bytes: u64,
    /// Bind groups created.
    pub bind_groups: u64,
    /// Pipelines compiled (hits of the cache are not counted).
    pub pipelines: u64,
    /// Command buffers submitted.
    pub submissions: u64,
    /// Times that the host waited for the device.
    pub waits: u64,
    /// Workgroup dispatches recorded.
    pub dispatches: u64,
    /// Bytes copied from the host.
    pub uploaded: u64,
    /// Bytes copied to the host outside of steps.
    pub downloaded: u64,
    /// Nanoseconds that the host spent recording and submitting the kernels of steps.
    pub encode_nanoseconds: u64,
}

impl Counters {
    pub(crate) fn read(&self) -> AllocationCounter {
        AllocationCounter {
            count: self.allocations.load(Relaxed),
            bytes: self.live_bytes.load(Relaxed),
            peak_bytes: self.peak_bytes.load(Relaxed),
            bind_groups: self.bind_groups.load(Relaxed),
            pipelines: self.pipelines.load(Relaxed),
            submissions: self.submissions.load(Relaxed),
            waits: self.waits.load(Relaxed),
            dispatches: self.dispatches.load(Relaxed),
            uploaded: self.uploaded.load(Relaxed),
            downloaded: self.downloaded.load(Relaxed),
            encode_nanoseconds: self.encode_nanoseconds.load(Relaxed),
        }
    }

    /// Takes `bytes` of a budget, or answers how many bytes are left where that is too few.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: u64, budget: u64) -> Result<Reservation, u64> {
        let taken = self
            .live_bytes
            .fetch_update(Relaxed, Relaxed, |live| live.checked_add(bytes).filter(|total| *total <= budget))
            .map_err(|live| budget.saturating_sub(live))?;
        self.allocations.fetch_add(1, Relaxed);
        self.peak_bytes.fetch_max(taken + bytes, Relaxed);
        Ok(Reservation { bytes, counters: Arc::clone(self) })
    }

    pub(crate) fn add_bind_group(&self) {
        self.bind_groups.fetch_add(1, Relaxed);
    }

    pub(crate) fn add_pipeline(&self) {
        self.pipelines.fetch_add(1, Relaxed);
    }

    pub(crate) fn add_submission(&self) {
        self.submissions.fetch_add(1, Relaxed);
    }

    pub(crate) fn add_wait(&self) {
        self.waits.fetch_add(1, Relaxed);
    }

    pub(crate) fn add_upload(&self, bytes: u64) {
        self.uploaded.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn add_download(&self, bytes: u64) {
        self.downloaded.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn add_dispatch(&self) {
        self.dispatches.fetch_add(1, Relaxed);
    }

    pub(crate) fn add_encode_nanoseconds(&self, nanoseconds: u64) {
        self.encode_nanoseconds.fetch_add(nanoseconds, Relaxed);
    }
}

/// Bytes taken from the budget; dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Reservation {
    bytes: u64,
    counters: Arc<Counters>,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.counters.live_bytes.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_never_exceeded_and_comes_back_on_drop() {
        let counters = Arc::new(Counters::default());
        let first = counters.reserve(60, 100).expect("60 of 100 fit");
        assert_eq!(counters.reserve(41, 100).unwrap_err(), 40);
        assert_eq!(counters.reserve(u64::MAX, 100).unwrap_err(), 40);
        drop(first);
        let _second = counters.reserve(100, 100).expect("all is free again");
        let reading = counters.read();
        assert_eq!((reading.count, reading.bytes, reading.peak_bytes), (2, 100, 100));
    }
}
