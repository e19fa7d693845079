//! How far opening a data set has come, for another thread to look at.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How far opening a data set has come. It is shared: [`OpenOptions`](crate::OpenOptions) takes one, and whoever kept the
/// other looks at it from time to time.
#[derive(Debug, Default)]
pub struct Progress {
    stage: Mutex<Stage>,
    done: AtomicUsize,
}

/// What is being done to how many images.
#[derive(Debug, Clone, Copy, Default)]
struct Stage {
    name: &'static str,
    total: usize,
}

impl Progress {
    /// What is going on (`decoded`, `measured`), how many images are done, and how many there are. The name is empty as long
    /// as folders are looked through.
    pub fn now(&self) -> (&'static str, usize, usize) {
        let stage = *self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        (stage.name, self.done.load(Ordering::Relaxed).min(stage.total), stage.total)
    }

    pub(crate) fn begin(&self, name: &'static str, total: usize) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = Stage { name, total };
        self.done.store(0, Ordering::Relaxed);
    }

    pub(crate) fn advance(&self, images: usize) {
        self.done.fetch_add(images, Ordering::Relaxed);
    }
}
