//! Pictures decoded one after the other by background threads, so that a model never waits for them where there are cores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::Picture;
use crate::loader::panicked;
use crate::memory::zeroed;
use crate::queue::OrderedQueue;
use crate::{DataError, Resize, threads};

/// Pixels of one picture, `[H, W, C]`.
type Pixels = Result<Vec<u8>, DataError>;

/// Pixels of pictures in their order, each decoded or the error why it is not. Made by [`decoded`].
pub struct Decoding {
    job: Arc<Job>,
    threads: Vec<JoinHandle<()>>,
}

struct Job {
    pictures: Vec<Picture>,
    shape: [usize; 3],
    resize: Resize,
    queue: OrderedQueue<Pixels>,
}

/// Begins to decode pictures to `shape` = `[H, W, C]`, one thread a core (or as many as
/// [`limit_threads`](crate::limit_threads) says), never more than `ahead` pictures before they are taken.
///
/// # Errors
/// Where the system refuses a thread.
pub fn decoded(pictures: Vec<Picture>, shape: [usize; 3], resize: Resize, ahead: usize) -> Result<Decoding, DataError> {
    let count = threads::count().min(pictures.len());
    let queue = OrderedQueue::new(pictures.len(), ahead.max(1) + count);
    let job = Arc::new(Job { pictures, shape, resize, queue });
    let mut running = Decoding { job: Arc::clone(&job), threads: vec![] };
    for _ in 0..count {
        let job = Arc::clone(&job);
        let thread = std::thread::Builder::new().name("chiaro-pictures".to_string()).spawn(move || job.work());
        let thread = thread.map_err(|e| DataError::NoThreads { cause: format!("a thread that decodes: {e}") })?;
        running.threads.push(thread);
    }
    Ok(running)
}

impl Job {
    fn work(&self) {
        while let Some(number) = self.queue.claim() {
            let made = catch_unwind(AssertUnwindSafe(|| self.pixels(&self.pictures[number])));
            self.queue.finish(number, made.unwrap_or_else(|panic| Err(panicked(&*panic))));
        }
    }

    fn pixels(&self, picture: &Picture) -> Pixels {
        let mut pixels = zeroed("a picture", &self.shape)?;
        picture.write(self.shape, self.resize, &mut pixels)?;
        Ok(pixels)
    }
}

impl Iterator for Decoding {
    type Item = Pixels;

    fn next(&mut self) -> Option<Pixels> {
        self.job.queue.take()
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        self.job.queue.stop();
        for thread in self.threads.drain(..) {
            // Panics were caught and delivered; there is nothing more to tell.
            let _ = thread.join();
        }
    }
}
