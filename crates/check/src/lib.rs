//! Checks that backends agree: op cases, gradients, golden values, random graphs.

mod case;
mod cases;
pub mod compare;
mod draw;
pub mod fuzz;
pub mod golden;
pub mod gradient;
pub mod large;
pub mod models;
pub mod plans;
pub mod ulp;
pub mod verify;

pub use case::{Case, CaseInput, Kink, Tolerance};
pub use cases::cases;
pub use draw::{Draw, seed};
