//! The threads of the backend; in a browser the one that there is.

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// How many threads to have where so many are asked for: one for each core that the process may use, where none are.
pub fn count(asked: Option<usize>) -> usize {
    let cores = || std::thread::available_parallelism().ok().map(usize::from);
    asked.or_else(cores).unwrap_or(1).max(1)
}

/// A pool of so many threads.
pub fn pool(threads: usize) -> Result<ThreadPool, ThreadPoolBuildError> {
    let named = ThreadPoolBuilder::new().thread_name(|i| format!("chiaro-cpu-{i}"));
    if cfg!(target_family = "wasm") {
        return named.num_threads(1).use_current_thread().build();
    }
    named.num_threads(threads).build()
}
