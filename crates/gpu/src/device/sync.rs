//! Blocking waits with a time limit: polling a device, and one look at a future that a poll has completed.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_intrusive::channel::shared::{OneshotReceiver, oneshot_channel};

use crate::{Gpu, GpuError};

/// The outcome of a `map_async` that was asked for and perhaps not answered yet.
pub(crate) type MapAnswer = OneshotReceiver<Result<(), wgpu::BufferAsyncError>>;

/// The value of `future` if it is there without waiting.
pub(crate) fn now_or_never<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Asks for all of `buffer` to be mapped; the answer arrives during a later poll.
pub(crate) fn map(buffer: &wgpu::Buffer, mode: wgpu::MapMode) -> MapAnswer {
    let (sender, receiver) = oneshot_channel();
    buffer.map_async(mode, .., move |result| {
        // Fails only when the receiver is gone, and then nobody wants the answer.
        let _ = sender.send(result);
    });
    receiver
}

impl Gpu {
    /// Waits until `submission` (or, with `None`, everything submitted so far) has finished.
    ///
    /// # Errors
    /// [`GpuError::Timeout`] after the device's time limit, which also gives the device up;
    /// [`GpuError::DeviceLost`] or the first error that arrived meanwhile.
    pub fn wait(&self, what: &str, submission: Option<wgpu::SubmissionIndex>) -> Result<(), GpuError> {
        self.check()?;
        let timeout = self.timeout();
        let waited = self.poll(wgpu::PollType::Wait { submission_index: submission, timeout: Some(timeout) });
        match waited {
            Ok(()) => self.check(),
            Err(wgpu::PollError::Timeout) => Err(self.give_up(what, timeout)),
            Err(error) => {
                self.check()?;
                Err(GpuError::Validation { what: what.to_owned(), message: error.to_string() })
            }
        }
    }

    /// Waits for everything submitted so far. See [`Gpu::wait`] for the errors.
    pub fn wait_idle(&self) -> Result<(), GpuError> {
        self.wait("all work", None)
    }

    /// Waits for a mapping whose buffer is free once `submission` has finished.
    pub(crate) fn wait_mapped(
        &self,
        what: &str,
        answer: &MapAnswer,
        submission: Option<wgpu::SubmissionIndex>,
    ) -> Result<(), GpuError> {
        let answered = match now_or_never(answer.receive()) {
            Some(answered) => Some(answered),
            None => {
                self.wait(what, submission)?;
                now_or_never(answer.receive())
            }
        };
        self.mapped(what, answered.flatten())
    }

    /// Whether a mapping is complete, without waiting.
    pub(crate) fn try_mapped(&self, what: &str, answer: &MapAnswer) -> Result<bool, GpuError> {
        self.poll_once()?;
        match now_or_never(answer.receive()) {
            None => Ok(false),
            Some(answered) => self.mapped(what, answered).map(|()| true),
        }
    }

    fn mapped(&self, what: &str, answer: Option<Result<(), wgpu::BufferAsyncError>>) -> Result<(), GpuError> {
        if let Some(Ok(())) = answer {
            return Ok(());
        }
        // A mapping fails when the device is lost, and that is then the better explanation.
        self.poll_once()?;
        Err(GpuError::Validation { what: what.to_owned(), message: "the buffer could not be mapped".to_owned() })
    }
}

/// The submissions that may still run: bounds how far the host runs ahead, and with it the memory in flight.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    submissions: VecDeque<wgpu::SubmissionIndex>,
}

/// Steps that may be in flight at once: one runs while the host records the next.
pub(crate) const MAX_IN_FLIGHT: usize = 2;

impl InFlight {
    /// Waits for the oldest submissions until one more may be made.
    pub(crate) fn wait_for_room(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        while self.submissions.len() >= MAX_IN_FLIGHT {
            let oldest = self.submissions.pop_front();
            gpu.wait("a step", oldest)?;
        }
        Ok(())
    }

    pub(crate) fn push(&mut self, submission: wgpu::SubmissionIndex) {
        self.submissions.push_back(submission);
    }
}

/// A time limit in seconds as shown in messages.
pub(crate) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
