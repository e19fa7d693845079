//! Checks that backends agree: op cases, gradients, golden values.

mod case;
mod cases;
pub mod compare;
mod draw;
pub mod golden;
pub mod gradient;
pub mod models;
pub mod plans;
pub mod verify;

pub use case::{Case, CaseInput, Kink, Tolerance};
pub use cases::cases;
pub use draw::{Draw, seed};
