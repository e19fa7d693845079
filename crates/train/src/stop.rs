//! Asking a run to stop at the end of its present step.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that clones share: a handler of Ctrl-C sets it, the trainer looks at it after every step.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks for the stop. Returns whether that had been asked before.
    pub fn request(&self) -> bool {
        self.0.swap(true, Ordering::SeqCst)
    }

    /// Whether the stop was asked for.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
