//! What a user should be told though nothing failed: a cache that cannot be written, a feature that was left off.

use std::sync::{Arc, Mutex, PoisonError};

/// Messages that nobody has been told yet, each a sentence. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    /// Adds a message, unless it is waiting already.
    pub(crate) fn add(&self, message: String) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.contains(&message) {
            waiting.push(message);
        }
    }

    /// The messages since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
