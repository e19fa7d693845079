//! Which images make each batch of an epoch.

use std::sync::Arc;

use crate::balanced::balanced;
use crate::{DataError, LoaderOptions, shuffled};

/// Orders a data set's images and cuts them into batches, epoch by epoch.
#[derive(Debug, Clone)]
pub struct Sampler {
    len: usize,
    batch_size: usize,
    shuffle: Option<u64>,
    drop_last: bool,
    /// Where each class is to come equally often: the class of each image.
    balance: Option<Arc<[u32]>>,
}

impl Sampler {
    /// Batches of `len` images as `options` say; its threads and queue mean nothing here.
    ///
    /// # Errors
    /// A batch size of 0, no image, or fewer than a batch where a last partial batch is left out.
    pub fn new(len: usize, options: &LoaderOptions) -> Result<Self, DataError> {
        let LoaderOptions { batch_size, shuffle, drop_last, ref balance, .. } = *options;
        let cause = if batch_size == 0 {
            "the batch size must be at least 1".to_string()
        } else if len == 0 {
            "the data set has no image".to_string()
        } else if drop_last && len < batch_size {
            format!("{len} images do not fill a batch of {batch_size}")
        } else if let Some(labels) = balance.as_ref().filter(|labels| labels.len() != len) {
            format!("{} labels are not one for each of {len} images", labels.len())
        } else {
            return Ok(Self { len, batch_size, shuffle, drop_last, balance: balance.clone() });
        };
        Err(DataError::invalid(cause))
    }

    /// Images of a batch.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// How many batches an epoch has.
    pub fn batches(&self) -> usize {
        if self.drop_last { self.len / self.batch_size } else { self.len.div_ceil(self.batch_size) }
    }

    /// The images of an epoch in their order; the chunks of the batch size are the batches, of which the last may be shorter.
    pub fn epoch(&self, epoch: u64) -> Vec<usize> {
        let mut order = match (self.shuffle, &self.balance) {
            (Some(seed), Some(labels)) => balanced(labels, seed, epoch),
            (Some(seed), None) => shuffled(self.len, seed, epoch),
            (None, _) => (0..self.len).collect(),
        };
        order.truncate(self.batches() * self.batch_size);
        order
    }
}
