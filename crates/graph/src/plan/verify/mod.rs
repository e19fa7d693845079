//! What must hold of a plan, checked after every pass in every build: a planner that makes a mistake says so instead of
//! computing something else.

mod calls;
mod held;
mod memory;
mod simulation;
#[cfg(test)]
mod tests;

pub(super) use calls::calls;
pub(super) use memory::memory;

use crate::error::GraphError;

/// An invariant that does not hold after a pass.
fn broken(pass: &'static str, detail: String) -> GraphError {
    GraphError::Plan { pass, detail }
}
