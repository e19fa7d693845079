//! A batch of images, and the pool that its buffers come from and go back to.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::DataError;
use crate::memory::zeroed;

/// A batch of images. Dropping it hands its buffers back to the loader it came from.
pub struct Batch {
    /// Pixels, `[N, words]`: each image `[H, W, C]`, four pixels to a word, the first in the lowest byte.
    pub pixels: Vec<u32>,
    /// Labels, `[N]`.
    pub labels: Vec<i32>,
    /// Where each image stands in the data set, `[N]`.
    pub indices: Vec<usize>,
    /// How many images are meant to count. N is always the batch size: what a last, partial batch
    /// lacks is filled by repeating its last image.
    pub valid: usize,
    pool: Arc<Pool>,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("indices", &self.indices)
            .field("labels", &self.labels)
            .field("valid", &self.valid)
            .finish_non_exhaustive()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.pool.give(Buffers {
            pixels: std::mem::take(&mut self.pixels),
            labels: std::mem::take(&mut self.labels),
            indices: std::mem::take(&mut self.indices),
        });
    }
}

struct Buffers {
    pixels: Vec<u32>,
    labels: Vec<i32>,
    indices: Vec<usize>,
}

/// Buffers of one batch size, waiting to be used again.
pub(crate) struct Pool {
    free: Mutex<Vec<Buffers>>,
    /// The most to keep.
    keep: usize,
    batch_size: usize,
    /// Of an image.
    words: usize,
}

impl Pool {
    pub(crate) fn new(keep: usize, batch_size: usize, words: usize) -> Self {
        Self { free: Mutex::new(Vec::with_capacity(keep)), keep, batch_size, words }
    }

    /// An empty batch, `valid` being 0: its content is whatever was there before.
    pub(crate) fn take(self: &Arc<Self>) -> Result<Batch, DataError> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let purpose = "a batch of images";
        let buffers = match free {
            Some(buffers) => buffers,
            None => Buffers {
                pixels: zeroed(purpose, &[self.batch_size, self.words])?,
                labels: zeroed(purpose, &[self.batch_size])?,
                indices: zeroed(purpose, &[self.batch_size])?,
            },
        };
        Ok(Batch {
            pixels: buffers.pixels,
            labels: buffers.labels,
            indices: buffers.indices,
            valid: 0,
            pool: Arc::clone(self),
        })
    }

    fn give(&self, buffers: Buffers) {
        // The fields of a batch are public: someone may have taken or resized them.
        let whole = buffers.pixels.len() == self.batch_size * self.words
            && buffers.labels.len() == self.batch_size
            && buffers.indices.len() == self.batch_size;
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if whole && free.len() < self.keep {
            free.push(buffers);
        }
    }
}
