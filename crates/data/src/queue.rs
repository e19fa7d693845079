//! A bounded queue that delivers numbered work in order, whichever thread ends it first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Work items 0 to `total`, claimed by worker threads, delivered in order, never more than
/// `window` of them between claim and delivery.
pub(crate) struct OrderedQueue<T> {
    state: Mutex<QueueState<T>>,
    /// Signalled when a worker may claim.
    room: Condvar,
    /// Signalled when something was finished.
    finished: Condvar,
    stopped: AtomicBool,
    total: usize,
}

struct QueueState<T> {
    /// Finished items, item n at n % window.
    slots: Box<[Option<T>]>,
    claimed: usize,
    delivered: usize,
}

impl<T> OrderedQueue<T> {
    pub(crate) fn new(total: usize, window: usize) -> Self {
        Self {
            state: Mutex::new(QueueState { slots: (0..window).map(|_| None).collect(), claimed: 0, delivered: 0 }),
            room: Condvar::new(),
            finished: Condvar::new(),
            stopped: AtomicBool::new(false),
            total,
        }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next item to work on, waiting for room; `None` when there is no more or after a stop.
    /// Whoever claims an item must finish it, or everyone waits for ever.
    pub(crate) fn claim(&self) -> Option<usize> {
        let full = |state: &mut QueueState<T>| {
            !self.is_stopped() && state.claimed < self.total && state.claimed == state.delivered + state.slots.len()
        };
        let mut state = self.room.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        if self.is_stopped() || state.claimed == self.total {
            return None;
        }
        state.claimed += 1;
        Some(state.claimed - 1)
    }

    pub(crate) fn finish(&self, item: usize, value: T) {
        let mut state = self.lock();
        let slot = item % state.slots.len();
        state.slots[slot] = Some(value);
        self.finished.notify_one();
    }

    /// The next value in order, waiting for it; `None` after the last or after a stop.
    pub(crate) fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if self.is_stopped() || state.delivered == self.total {
                return None;
            }
            let slot = state.delivered % state.slots.len();
            if let Some(value) = state.slots[slot].take() {
                state.delivered += 1;
                // All, since the last delivery must also end every thread that still waits.
                self.room.notify_all();
                return Some(value);
            }
            state = self.finished.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many values are still to be delivered.
    pub(crate) fn remaining(&self) -> usize {
        self.total - self.lock().delivered
    }

    /// Ends all waiting, now and later.
    pub(crate) fn stop(&self) {
        // Under the lock, or a thread between its check and its wait would sleep through it.
        let _state = self.lock();
        self.stopped.store(true, Ordering::Relaxed);
        self.room.notify_all();
        self.finished.notify_all();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
