//! What a device answers later, and the two ways to have it: to await it, which never blocks, and to wait for the device, with a
//! time limit.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chiaro_graph::clock::Instant;
use futures_intrusive::channel::shared::{OneshotBroadcastReceiver, oneshot_broadcast_channel};

use crate::{Gpu, GpuError};

/// Whether something that the device was asked for went well; answered in a callback, during a poll or by a browser's event loop.
/// Clones are of one answer (in one `Arc`, since a receiver that is dropped closes the channel for its clones).
#[derive(Debug, Clone)]
pub(crate) struct Answer(Arc<OneshotBroadcastReceiver<bool>>);

impl Answer {
    /// An answer, and what gives it.
    pub(crate) fn new() -> (Answer, impl FnOnce(bool) + Send + 'static) {
        let (sender, receiver) = oneshot_broadcast_channel();
        // Fails only when nobody wants the answer any more.
        (Answer(Arc::new(receiver)), move |good| drop(sender.send(good)))
    }

    /// The answer if it is there; one that will never come is a bad one.
    pub(crate) fn now(&self) -> Option<bool> {
        now_or_never(self.0.receive()).map(|given| given == Some(true))
    }
}

/// The value of `future` if it is there without waiting.
pub(crate) fn now_or_never<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Asks for all of `buffer` to be mapped.
pub(crate) fn map(buffer: &wgpu::Buffer, mode: wgpu::MapMode) -> Answer {
    let (answer, give) = Answer::new();
    buffer.map_async(mode, .., move |result| give(result.is_ok()));
    answer
}

impl Gpu {
    /// Waits until `submission` (or, with `None`, everything submitted so far) has finished.
    ///
    /// # Errors
    /// [`GpuError::Timeout`] after the device's time limit, which also gives the device up;
    /// [`GpuError::DeviceLost`] or the first error that arrived meanwhile; [`GpuError::CannotWait`] in a browser.
    pub fn wait(&self, what: &str, submission: Option<wgpu::SubmissionIndex>) -> Result<(), GpuError> {
        self.check()?;
        if cfg!(target_family = "wasm") {
            return Err(GpuError::CannotWait { what: what.to_owned() });
        }
        self.counting().add_wait();
        let timeout = self.timeout();
        let waited = self.poll(wgpu::PollType::Wait { submission_index: submission, timeout: Some(timeout) });
        match waited {
            Ok(_) => self.check(),
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

    /// When everything submitted so far has ended.
    ///
    /// # Errors
    /// Those of [`Gpu::wait`].
    pub fn idle_async(&self) -> impl Future<Output = Result<(), GpuError>> + use<> {
        let (gpu, done) = (self.clone(), self.done());
        async move { gpu.answered("all work", done).await }
    }

    /// The answer to whether everything submitted so far has ended.
    pub(crate) fn done(&self) -> Answer {
        let (answer, give) = Answer::new();
        self.queue().on_submitted_work_done(move || give(true));
        answer
    }

    /// Runs what awaits this device alone to its end, waiting for the device in between.
    ///
    /// # Errors
    /// Those of [`Gpu::wait`].
    pub fn block_on<F: Future>(&self, what: &str, future: F) -> Result<F::Output, GpuError> {
        let mut future = pin!(future);
        loop {
            match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(value) => return Ok(value),
                Poll::Pending => self.wait(what, None)?,
            }
        }
    }

    /// Awaits a good answer. A native device answers only who asks: each look asks it, and has the task look again. In a browser
    /// the event loop does both.
    pub(crate) async fn answered(&self, what: &str, answer: Answer) -> Result<(), GpuError> {
        let began = Instant::now();
        let mut given = pin!(answer.0.receive());
        poll_fn(|context| {
            if let Err(error) = self.poll_once() {
                return Poll::Ready(Err(error));
            }
            match given.as_mut().poll(context) {
                Poll::Ready(given) => Poll::Ready(self.good(what, given == Some(true))),
                Poll::Pending if began.elapsed() > self.timeout() => {
                    Poll::Ready(Err(self.give_up(what, self.timeout())))
                }
                Poll::Pending => {
                    if !cfg!(target_family = "wasm") {
                        context.waker().wake_by_ref();
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// A bad answer as an error.
    pub(crate) fn good(&self, what: &str, answer: bool) -> Result<(), GpuError> {
        if answer {
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
    submissions: VecDeque<(wgpu::SubmissionIndex, Answer)>,
}

/// Steps that may be in flight at once: one runs while the host records the next.
pub(crate) const MAX_IN_FLIGHT: usize = 2;

impl InFlight {
    /// The submission after which one more may be made, if one must end before.
    pub(crate) fn before_the_next(&mut self) -> Option<(wgpu::SubmissionIndex, Answer)> {
        while self.submissions.front().is_some_and(|(_, done)| done.now().is_some()) {
            self.submissions.pop_front();
        }
        let last = self.submissions.len().checked_sub(MAX_IN_FLIGHT)?;
        self.submissions.get(last).cloned()
    }

    pub(crate) fn push(&mut self, submission: wgpu::SubmissionIndex, done: Answer) {
        self.submissions.push_back((submission, done));
    }
}

/// A time limit in seconds as shown in messages.
pub(crate) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_there_for_all_that_ask_and_one_that_cannot_come_is_a_bad_one() {
        let (answer, give) = Answer::new();
        let other = answer.clone();
        assert_eq!(answer.now(), None);
        drop(other);
        give(true);
        assert_eq!([answer.now(), answer.now(), answer.clone().now()], [Some(true); 3]);
        let (answer, give) = Answer::new();
        drop(give);
        assert_eq!(answer.now(), Some(false));
    }
}
