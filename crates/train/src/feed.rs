//! The batches of a data set: numbers of images where the device has the whole set, else pixels from background threads.

use std::sync::Arc;

use chiaro_data::{Batch, Dataset, Epoch, Loader, LoaderOptions, Sampler, packed, packed_len};
use chiaro_graph::{Backend, Data, Tensor};
use chiaro_nn::Resident;

use crate::error::{Result, TrainError};
use crate::task::Targets;

/// Images brought to the device at a time.
const PART: usize = 4096;

/// Gives the batches of a data set.
pub(crate) struct Feed {
    images: Images,
    targets: Arc<Targets>,
}

enum Images {
    /// The set is on the device: images are numbers.
    Device(Sampler),
    /// Packed pixels made by background threads.
    Host(Loader),
}

/// A batch as a step takes it.
pub(crate) struct FedBatch {
    /// Numbers of images, or their packed pixels.
    pub images: Tensor,
    /// Which images they are.
    pub rows: Vec<usize>,
    /// Rows that count.
    pub valid: usize,
}

impl Feed {
    /// A feed of a set with its targets, whose arena, if it is to be on the device, was declared by a compiled graph; it is filled here.
    pub fn new(
        backend: &mut dyn Backend,
        dataset: &Arc<dyn Dataset>,
        targets: Targets,
        options: LoaderOptions,
        resident: Option<&Resident>,
    ) -> Result<Feed> {
        let (found, wanted) = (targets.count(), dataset.len());
        if found != wanted {
            return Err(TrainError::setting(format!(
                "the task gives {found} targets for {wanted} images; there must be one for each"
            )));
        }
        let targets = Arc::new(targets);
        let Some(resident) = resident else {
            return Ok(Feed { images: Images::Host(Loader::new(Arc::clone(dataset), options)?), targets });
        };
        let sampler = Sampler::new(dataset.len(), &options)?;
        let words = packed_len(dataset.image_shape());
        for first in (0..dataset.len()).step_by(PART) {
            let part = packed(&**dataset, first..dataset.len().min(first + PART))?;
            backend.write_arena_part(&resident.arena, first * words, &tensor([part.len()], Data::U32(part))?)?;
        }
        Ok(Feed { images: Images::Device(sampler), targets })
    }

    /// The targets of the set's images.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// These images as a step takes them.
    pub fn some(&self, rows: &[usize]) -> Result<Tensor> {
        match &self.images {
            Images::Device(_) => tensor([rows.len()], Data::I32(rows.iter().map(|row| *row as i32).collect())),
            Images::Host(loader) => {
                let set = &**loader.dataset();
                let packed =
                    rows.iter().map(|&row| packed(set, row..row + 1)).collect::<std::result::Result<Vec<_>, _>>()?;
                tensor([rows.len(), packed_len(set.image_shape())], Data::U32(packed.concat()))
            }
        }
    }

    /// How many batches an epoch has.
    pub fn batches(&self) -> usize {
        match &self.images {
            Images::Device(sampler) => sampler.batches(),
            Images::Host(loader) => loader.batches(),
        }
    }

    /// The batches of an epoch from number `first` on.
    pub fn epoch(&self, epoch: u64, first: usize) -> Result<FeedEpoch> {
        Ok(match &self.images {
            Images::Host(loader) => FeedEpoch::Host(loader.epoch(epoch, first)?),
            Images::Device(sampler) => FeedEpoch::Device {
                order: sampler.epoch(epoch),
                next: first * sampler.batch_size(),
                batch_size: sampler.batch_size(),
            },
        })
    }
}

/// The batches of an epoch, in order.
pub(crate) enum FeedEpoch {
    Device { order: Vec<usize>, next: usize, batch_size: usize },
    Host(Epoch),
}

impl Iterator for FeedEpoch {
    type Item = Result<FedBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            FeedEpoch::Host(epoch) => Some(epoch.next()?.map_err(TrainError::from).and_then(fed)),
            FeedEpoch::Device { order, next, batch_size } => {
                let batch = order.get(*next..order.len().min(*next + *batch_size)).filter(|b| !b.is_empty())?;
                *next += batch.len();
                Some(numbers(batch, *batch_size))
            }
        }
    }
}

/// A batch of a set on the device; a last one that is short repeats its last image.
fn numbers(batch: &[usize], batch_size: usize) -> Result<FedBatch> {
    let rows: Vec<usize> = (0..batch_size).map(|i| batch[i.min(batch.len() - 1)]).collect();
    let index = rows.iter().map(|row| *row as i32).collect();
    Ok(FedBatch { images: tensor([batch_size], Data::I32(index))?, rows, valid: batch.len() })
}

/// A batch with its pixels, which is left empty.
fn fed(mut batch: Batch) -> Result<FedBatch> {
    let (pixels, rows) = (std::mem::take(&mut batch.pixels), std::mem::take(&mut batch.indices));
    let shape = [rows.len(), pixels.len() / rows.len().max(1)];
    Ok(FedBatch { images: tensor(shape, Data::U32(pixels))?, rows, valid: batch.valid })
}

impl FedBatch {
    /// Images and targets; those of rows that only fill up the batch are `filler`.
    pub fn into_tensors(self, targets: &Targets, filler: f64) -> Result<[Tensor; 2]> {
        let targets = targets.of(&self.rows, self.valid, filler)?;
        Ok([self.images, targets])
    }
}

fn tensor<const D: usize>(shape: [usize; D], data: Data) -> Result<Tensor> {
    let found = data.len();
    let wrong = || TrainError::setting(format!("a batch of {found} elements has not the shape {shape:?}"));
    Tensor::new(shape, data).ok_or_else(wrong)
}
