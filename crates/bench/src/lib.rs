//! What benchmarks run: kernels over the shapes of real networks, and whole training steps. One table for `chiaro bench` and for
//! the criterion benchmarks, so that a figure of the one can be looked up in the other.

mod convolution;
mod depthwise;
mod matmul;
mod memory;
mod model;
mod resident;
mod session;
mod step;
mod workload;

pub use model::{CARDS, Card, Estimate, Limit, Rates};
pub use session::Session;
pub use workload::{Group, Workload};

use chiaro_nn::Result;

/// Every workload: kernels, the smallest of a group first, then whole training steps.
///
/// # Errors
/// Never, as long as the shapes of the tables fit their ops.
pub fn workloads() -> Result<Vec<Workload>> {
    Ok([kernels()?, steps()?].into_iter().flatten().collect())
}

/// The workloads of one kernel each.
///
/// # Errors
/// As [`workloads`].
pub fn kernels() -> Result<Vec<Workload>> {
    Ok([matmul::all()?, convolution::all()?, memory::all()?].into_iter().flatten().collect())
}

/// The whole training steps.
///
/// # Errors
/// As [`workloads`].
pub fn steps() -> Result<Vec<Workload>> {
    step::all()
}
