//! Threads that compile; where there are none, as in a browser, the caller does what they leave.

use std::num::NonZeroUsize;

/// Stack of a compiling thread: naga recurses over nested blocks and types.
const COMPILER_STACK: usize = 8 << 20;

/// How many there can be at once.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Runs `work` on as many threads as there are processors, `most` at most, and waits for them; on none where none can be had.
pub(crate) fn on_all(most: usize, work: impl Fn() + Copy + Send) {
    std::thread::scope(|scope| {
        for _ in 0..processors().min(most) {
            let _ = std::thread::Builder::new().stack_size(COMPILER_STACK).spawn_scoped(scope, work);
        }
    });
}
