//! The batches of a data set: numbers of images where the device has the whole set, else pixels from background threads.

use std::sync::Arc;

use chiaro_data::{Batch, Dataset, Epoch, Loader, LoaderOptions, Sampler, packed, packed_len};
use chiaro_graph::{Backend, Data, Tensor};
use chiaro_nn::{EvalStep, Resident};

use crate::error::{Result, TrainError};

/// Images brought to the device at a time.
const PART: usize = 4096;

/// Gives the batches of a data set.
pub(crate) enum Feed {
    /// The set is on the device: images are numbers.
    Device { sampler: Sampler, labels: Arc<[i32]> },
    /// Packed pixels made by background threads.
    Host(Loader),
}

/// A batch as a step takes it.
pub(crate) struct Fed {
    /// Numbers of images, or their packed pixels.
    pub images: Tensor,
    /// Labels.
    pub labels: Vec<i32>,
    /// Rows that count.
    pub valid: usize,
}

impl Feed {
    /// A feed for a set whose arena, if it is to be on the device, was declared by a compiled graph; it is filled here.
    pub fn new(
        backend: &mut dyn Backend,
        dataset: &Arc<dyn Dataset>,
        options: LoaderOptions,
        resident: Option<&Resident>,
    ) -> Result<Feed> {
        let Some(resident) = resident else {
            return Ok(Feed::Host(Loader::new(Arc::clone(dataset), options)?));
        };
        let sampler = Sampler::new(dataset.len(), &options)?;
        let words = packed_len(dataset.image_shape());
        for first in (0..dataset.len()).step_by(PART) {
            let part = packed(&**dataset, first..dataset.len().min(first + PART))?;
            backend.write_arena_part(&resident.arena, first * words, &tensor([part.len()], Data::U32(part))?)?;
        }
        let labels = (0..dataset.len()).map(|i| dataset.label(i) as i32).collect();
        Ok(Feed::Device { sampler, labels })
    }

    /// How many batches an epoch has.
    pub fn batches(&self) -> usize {
        match self {
            Feed::Device { sampler, .. } => sampler.batches(),
            Feed::Host(loader) => loader.batches(),
        }
    }

    /// The batches of an epoch from number `first` on.
    pub fn epoch(&self, epoch: u64, first: usize) -> Result<FeedEpoch> {
        Ok(match self {
            Feed::Host(loader) => FeedEpoch::Host(loader.epoch(epoch, first)?),
            Feed::Device { sampler, labels } => FeedEpoch::Device {
                order: sampler.epoch(epoch),
                next: first * sampler.batch_size(),
                batch_size: sampler.batch_size(),
                labels: Arc::clone(labels),
            },
        })
    }
}

/// The batches of an epoch, in order.
pub(crate) enum FeedEpoch {
    Device { order: Vec<usize>, next: usize, batch_size: usize, labels: Arc<[i32]> },
    Host(Epoch),
}

impl Iterator for FeedEpoch {
    type Item = Result<Fed>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            FeedEpoch::Host(epoch) => Some(epoch.next()?.map_err(TrainError::from).and_then(fed)),
            FeedEpoch::Device { order, next, batch_size, labels } => {
                let batch = order.get(*next..order.len().min(*next + *batch_size)).filter(|b| !b.is_empty())?;
                *next += batch.len();
                Some(numbers(batch, *batch_size, labels))
            }
        }
    }
}

/// A batch of a set on the device; a last one that is short repeats its last image.
fn numbers(batch: &[usize], batch_size: usize, labels: &[i32]) -> Result<Fed> {
    let filled = |i: usize| batch[i.min(batch.len() - 1)];
    let index = (0..batch_size).map(|i| filled(i) as i32).collect();
    let labels = (0..batch_size).map(|i| labels[filled(i)]).collect();
    Ok(Fed { images: tensor([batch_size], Data::I32(index))?, labels, valid: batch.len() })
}

/// A batch with its pixels, which is left empty.
fn fed(mut batch: Batch) -> Result<Fed> {
    let (pixels, labels) = (std::mem::take(&mut batch.pixels), std::mem::take(&mut batch.labels));
    let shape = [labels.len(), pixels.len() / labels.len().max(1)];
    Ok(Fed { images: tensor(shape, Data::U32(pixels))?, labels, valid: batch.valid })
}

impl Fed {
    /// Images and labels.
    pub fn into_tensors(self) -> Result<[Tensor; 2]> {
        let labels = tensor([self.labels.len()], Data::I32(self.labels))?;
        Ok([self.images, labels])
    }

    /// The same with rows that only fill up the batch marked.
    pub fn into_evaluated(mut self) -> Result<[Tensor; 2]> {
        self.labels[self.valid..].fill(EvalStep::IGNORED);
        self.into_tensors()
    }
}

fn tensor<const D: usize>(shape: [usize; D], data: Data) -> Result<Tensor> {
    let found = data.len();
    let wrong = || TrainError::setting(format!("a batch of {found} elements has not the shape {shape:?}"));
    Tensor::new(shape, data).ok_or_else(wrong)
}
