//! The first thing that went wrong on a device: errors that no scope caught, the loss of the device, a timeout.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::GpuError;
use crate::device::sync::seconds;

/// What an error scope caught.
pub(crate) type Caught = Pin<Box<dyn Future<Output = Option<wgpu::Error>> + Send>>;

/// What a device's callbacks write, and every operation reads first: after a loss wgpu itself reports nothing.
#[derive(Default)]
pub(crate) struct Faults {
    troubled: AtomicBool,
    fatal: OnceLock<GpuError>,
    stray: Mutex<Option<GpuError>>,
    /// What error scopes have not answered yet: in browsers they do so later.
    unanswered: Mutex<Vec<(String, Caught)>>,
    hung: AtomicBool,
}

impl Faults {
    /// Connects the device's callbacks to a new record.
    pub(crate) fn watch(device: &wgpu::Device) -> Arc<Self> {
        let faults = Arc::new(Self::default());
        let on_error = Arc::clone(&faults);
        device.on_uncaptured_error(Arc::new(move |error| {
            on_error.record_stray(GpuError::from_wgpu("an operation", error));
        }));
        let on_loss = Arc::clone(&faults);
        device.set_device_lost_callback(move |reason, message| {
            // Deliberate destruction says "destroyed" in its message already.
            let reason = match reason {
                wgpu::DeviceLostReason::Unknown if message.is_empty() => "the driver gave no reason".to_owned(),
                _ => message,
            };
            on_loss.record_fatal(GpuError::DeviceLost { reason });
        });
        faults
    }

    /// Keeps an answer that is not there yet, to be looked at by [`Faults::settled`].
    pub(crate) fn expect(&self, what: &str, caught: Caught) {
        let mut unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        unanswered.push((what.to_owned(), caught));
    }

    /// Awaits all such answers; errors among them are told by the next [`Faults::check`].
    pub(crate) async fn settled(&self) {
        let take = || std::mem::take(&mut *self.unanswered.lock().unwrap_or_else(PoisonError::into_inner));
        for (what, caught) in take() {
            if let Some(error) = caught.await {
                self.record_stray(GpuError::from_wgpu(&what, error));
            }
        }
    }

    fn record_stray(&self, error: GpuError) {
        if self.fatal.get().is_none() {
            let mut stray = self.stray.lock().unwrap_or_else(PoisonError::into_inner);
            stray.get_or_insert(error);
            self.troubled.store(true, SeqCst);
        }
    }

    fn record_fatal(&self, error: GpuError) {
        let _ = self.fatal.set(error);
        self.troubled.store(true, SeqCst);
    }

    /// The first error that nobody has been told yet; the loss of the device is told every time.
    pub(crate) fn check(&self) -> Result<(), GpuError> {
        if !self.troubled.load(SeqCst) {
            return Ok(());
        }
        let mut stray = self.stray.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = stray.take() {
            self.troubled.store(self.fatal.get().is_some(), SeqCst);
            return Err(error);
        }
        self.fatal.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Records that work did not finish in `limit`, which ends the use of the device.
    pub(crate) fn give_up(&self, what: &str, limit: Duration) -> GpuError {
        let error = GpuError::Timeout { what: what.to_owned(), seconds: seconds(limit) };
        self.hung.store(true, SeqCst);
        self.record_fatal(error.clone());
        error
    }

    /// Whether a kernel may still be running that nothing can stop.
    pub(crate) fn hung(&self) -> bool {
        self.hung.load(SeqCst)
    }

    /// Polls; wgpu panics where a poll meets a reset GPU, and that becomes [`GpuError::DeviceLost`] here.
    pub(crate) fn poll(
        &self,
        device: &wgpu::Device,
        poll: wgpu::PollType,
    ) -> Result<wgpu::PollStatus, wgpu::PollError> {
        catch_unwind(AssertUnwindSafe(|| device.poll(poll))).unwrap_or_else(|_| {
            self.record_fatal(GpuError::DeviceLost { reason: "the driver reset the GPU".to_owned() });
            Ok(wgpu::PollStatus::QueueEmpty)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(reason: &str) -> GpuError {
        GpuError::DeviceLost { reason: reason.to_owned() }
    }

    #[test]
    fn what_an_error_scope_catches_later_is_told_once_it_is_settled() {
        let faults = Faults::default();
        let stray = wgpu::Error::OutOfMemory { source: "none left".into() };
        faults.expect("a buffer", Box::pin(std::future::ready(None)));
        faults.expect("another", Box::pin(std::future::ready(Some(stray))));
        assert_eq!(faults.check(), Ok(()));
        pollster::block_on(faults.settled());
        assert_eq!(faults.check(), Err(GpuError::OutOfMemory { what: "another".to_owned() }));
        pollster::block_on(faults.settled());
        assert_eq!(faults.check(), Ok(()));
    }

    #[test]
    fn the_first_error_is_shown_once_and_a_loss_every_time() {
        let faults = Faults::default();
        assert_eq!(faults.check(), Ok(()));
        let first = GpuError::OutOfMemory { what: "one".to_owned() };
        faults.record_stray(first.clone());
        faults.record_stray(lost("a later error that must not hide the first"));
        assert_eq!(faults.check(), Err(first.clone()));
        assert_eq!(faults.check(), Ok(()));
        faults.record_stray(first.clone());
        faults.record_fatal(lost("reset"));
        faults.record_fatal(lost("consequence"));
        assert_eq!(faults.check(), Err(first));
        assert_eq!(faults.check(), Err(lost("reset")));
        assert_eq!(faults.check(), Err(lost("reset")));
    }
}
