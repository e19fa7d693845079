//! Shuffles, decodes and batches a data set in background threads.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::batch::Pool;
use crate::memory::zeroed;
use crate::pack::{pack, packed_len};
use crate::queue::OrderedQueue;
use crate::{Batch, DataError, Dataset, Sampler, threads};

/// The most threads chosen where none are asked for: training wants the same cores.
const MAX_DEFAULT_THREADS: usize = 4;

/// How a [`Loader`] works.
#[derive(Debug, Clone)]
pub struct LoaderOptions {
    /// Images a batch.
    pub batch_size: usize,
    /// Shuffle every epoch by this seed; `None` keeps the data set's order.
    pub shuffle: Option<u64>,
    /// Let each class come equally often in a shuffled epoch, of as many images as there are: the class of each image.
    pub balance: Option<Arc<[u32]>>,
    /// Leave out a last batch that is not full, where otherwise it is filled up.
    pub drop_last: bool,
    /// Background threads. `None`: one for a set in memory, else half the cores (or half of
    /// [`limit_threads`](crate::limit_threads)), at most 4.
    pub threads: Option<usize>,
    /// Batches made ahead, beside the one that each thread works on.
    pub queue: usize,
}

impl LoaderOptions {
    /// Shuffled by `seed`, last partial batch left out.
    pub fn training(batch_size: usize, seed: u64) -> Self {
        Self { shuffle: Some(seed), drop_last: true, ..Self::evaluation(batch_size) }
    }

    /// In order, every image once, the last batch filled up.
    pub fn evaluation(batch_size: usize) -> Self {
        Self { batch_size, shuffle: None, balance: None, drop_last: false, threads: None, queue: 3 }
    }
}

/// Gives a data set's images in batches, epoch by epoch.
///
/// Content and order depend on the data set, the options' seed and the epoch, not on the number of
/// threads. Batches that are dropped give their buffers to later ones, so that nothing is
/// allocated once as many buffers exist as are in use at a time.
pub struct Loader {
    dataset: Arc<dyn Dataset>,
    sampler: Sampler,
    options: LoaderOptions,
    threads: usize,
    pool: Arc<Pool>,
}

impl Loader {
    /// A loader for `dataset`.
    ///
    /// # Errors
    /// A batch size, thread count or queue of 0, an empty data set, or one smaller than a batch whose last partial batch is
    /// left out.
    pub fn new(dataset: Arc<dyn Dataset>, options: LoaderOptions) -> Result<Self, DataError> {
        if options.threads == Some(0) || options.queue == 0 {
            return Err(DataError::invalid("number of threads and queue must be at least 1"));
        }
        let sampler = Sampler::new(dataset.len(), &options)?;
        let threads = options.threads.unwrap_or_else(|| default_threads(&*dataset));
        let keep = window(&options, threads) + 2;
        let pool = Arc::new(Pool::new(keep, options.batch_size, packed_len(dataset.image_shape())));
        Ok(Self { dataset, sampler, options, threads, pool })
    }

    /// How many batches an epoch has.
    pub fn batches(&self) -> usize {
        self.sampler.batches()
    }

    /// The data set.
    pub fn dataset(&self) -> &Arc<dyn Dataset> {
        &self.dataset
    }

    /// Starts the background threads of an epoch, which goes on with batch `first`. They end with the last batch, or when the
    /// returned [`Epoch`] is dropped.
    ///
    /// # Errors
    /// Where the system refuses a thread.
    pub fn epoch(&self, epoch: u64, first: usize) -> Result<Epoch, DataError> {
        let batches = self.batches().saturating_sub(first);
        let mut order = self.sampler.epoch(epoch);
        order.drain(..order.len().min(first * self.options.batch_size));
        let job = Arc::new(Job {
            dataset: Arc::clone(&self.dataset),
            pool: Arc::clone(&self.pool),
            order,
            batch_size: self.options.batch_size,
            queue: OrderedQueue::new(batches, window(&self.options, self.threads)),
        });
        let mut running = Epoch { job: Arc::clone(&job), threads: Vec::new() };
        for _ in 0..self.threads.min(batches) {
            let job = Arc::clone(&job);
            let mut image = zeroed("an image of a batch", &self.dataset.image_shape())?;
            let thread = std::thread::Builder::new()
                .name("chiaro-data".to_string())
                .spawn(move || job.work(&mut image))
                .map_err(|e| DataError::NoThreads { cause: format!("a thread that loads data: {e}") })?;
            running.threads.push(thread);
        }
        Ok(running)
    }
}

fn window(options: &LoaderOptions, threads: usize) -> usize {
    options.queue + threads
}

fn default_threads(dataset: &dyn Dataset) -> usize {
    if dataset.in_memory() {
        return 1;
    }
    (threads::count() / 2).clamp(1, MAX_DEFAULT_THREADS)
}

/// The batches of one epoch, in order. After an error there are no more.
pub struct Epoch {
    job: Arc<Job>,
    threads: Vec<JoinHandle<()>>,
}

impl Iterator for Epoch {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = self.job.queue.take()?;
        if result.is_err() {
            self.job.queue.stop();
        }
        Some(result)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.job.queue.is_stopped() {
            return (0, Some(0));
        }
        let remaining = self.job.queue.remaining();
        (remaining, Some(remaining))
    }
}

impl ExactSizeIterator for Epoch {}

impl Drop for Epoch {
    fn drop(&mut self) {
        self.job.queue.stop();
        for thread in self.threads.drain(..) {
            // Panics in a data set were caught and delivered; there is nothing more to tell.
            let _ = thread.join();
        }
    }
}

/// What the threads of an epoch share.
struct Job {
    dataset: Arc<dyn Dataset>,
    pool: Arc<Pool>,
    order: Vec<usize>,
    batch_size: usize,
    queue: OrderedQueue<Result<Batch, DataError>>,
}

impl Job {
    fn work(&self, image: &mut [u8]) {
        while let Some(number) = self.queue.claim() {
            let made = catch_unwind(AssertUnwindSafe(|| self.make(number, image)));
            let result = made.unwrap_or_else(|panic| Err(panicked(&*panic)));
            self.queue.finish(number, result);
        }
    }

    /// Makes batch `number`, with `image` as room for one image's pixels.
    fn make(&self, number: usize, image: &mut [u8]) -> Result<Batch, DataError> {
        let mut batch = self.pool.take()?;
        let words = packed_len(self.dataset.image_shape());
        let first = number * self.batch_size;
        let order = &self.order[first..self.order.len().min(first + self.batch_size)];
        for (k, &index) in order.iter().enumerate() {
            // Nobody will read the batch after a stop, so let it be incomplete and end soon.
            if self.queue.is_stopped() {
                return Ok(batch);
            }
            self.dataset.write_image(index, image)?;
            pack(image, &mut batch.pixels[k * words..][..words]);
            batch.labels[k] = self.dataset.label(index) as i32;
            batch.indices[k] = index;
        }
        batch.valid = order.len();
        let last = order.len() - 1;
        for k in order.len()..self.batch_size {
            batch.pixels.copy_within(last * words..order.len() * words, k * words);
            batch.labels[k] = batch.labels[last];
            batch.indices[k] = batch.indices[last];
        }
        Ok(batch)
    }
}

/// What a panic of a background thread is told as.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> DataError {
    let text = panic.downcast_ref::<&str>().copied();
    let owned = || panic.downcast_ref::<String>().map(String::as_str);
    DataError::WorkerPanicked { cause: text.or_else(owned).unwrap_or("no message").to_string() }
}
