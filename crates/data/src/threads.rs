//! How many threads work on data.

use std::error::Error;
use std::sync::OnceLock;

use crate::DataError;

/// How starting the threads went: their number, or why there are none.
static STARTED: OnceLock<Result<usize, String>> = OnceLock::new();

/// Starts the threads that open, measure and load data sets, so many instead of one a core. It must be called before the
/// first of them starts: later it does nothing and gives false.
///
/// # Errors
/// Where the system refuses so many.
pub fn limit_threads(threads: usize) -> Result<bool, DataError> {
    let mut first = false;
    STARTED.get_or_init(|| start(threads.max(1), &mut first));
    ready().map(|()| first)
}

/// Makes sure that the threads are there. Without this, the first parallel loop would panic where the system refuses one.
pub(crate) fn ready() -> Result<(), DataError> {
    let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
    match STARTED.get_or_init(|| start(cores(), &mut false)) {
        Ok(_) => Ok(()),
        Err(cause) => Err(DataError::NoThreads { cause: cause.clone() }),
    }
}

/// How many there are or would be.
pub(crate) fn count() -> usize {
    match ready() {
        Ok(()) => rayon::current_num_threads(),
        Err(_) => 1,
    }
}

fn start(threads: usize, first: &mut bool) -> Result<usize, String> {
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        Ok(()) => {
            *first = true;
            Ok(threads)
        }
        // Without a source, somebody else has started them before.
        Err(error) => match error.source() {
            None => Ok(rayon::current_num_threads()),
            Some(cause) => Err(format!("{threads} threads: {cause}")),
        },
    }
}
