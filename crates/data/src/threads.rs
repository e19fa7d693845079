//! How many threads work on data.

/// Bounds the threads that open, measure and load data sets, which are as many as there are cores otherwise. It must be called
/// before the first of them starts: later it does nothing and gives false.
pub fn limit_threads(threads: usize) -> bool {
    rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build_global().is_ok()
}
