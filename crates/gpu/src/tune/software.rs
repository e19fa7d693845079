//! The software adapter for tests of the tuner's parts.

use crate::{Gpu, OpenOptions, Selection};

/// A device in software; `None`, told, where there is none. `CHIARO_REQUIRE_GPU` turns absence into a failure.
pub(super) fn software() -> Option<Gpu> {
    match Gpu::open(&Selection::Software, OpenOptions::default()) {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            assert!(std::env::var("CHIARO_REQUIRE_GPU").is_err(), "{error}");
            eprintln!("skipped: {error}");
            None
        }
    }
}
