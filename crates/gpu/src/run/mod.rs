//! Plans on a device: the backend, compiled steps and how they run, are profiled and foretold.

pub(crate) mod backend;
pub(crate) mod beside;
mod executor;
pub(crate) mod half;
pub(crate) mod launch;
pub(crate) mod planned;
pub(crate) mod profile;
pub(crate) mod step;
pub(crate) mod switches;
