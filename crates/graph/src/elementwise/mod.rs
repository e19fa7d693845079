//! The elementwise ops: what each class of op accepts, and the code that the table in `table.rs` expands to.

mod lane;
// One row is compiled for f32 and f64, so its literals carry the digits of f64 and the typed constants cannot stand in.
#[allow(clippy::excessive_precision, clippy::approx_constant)]
mod table;

pub use lane::{Lane, Real};
pub use table::Elementwise;

/// What an elementwise op takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Floats in, a float out.
    Float,
    /// Numbers of one type in, the same type out.
    Number,
    /// Numbers of one type in, a bool out.
    Compare,
    /// Bools in, a bool out.
    Logic,
    /// A bool and two values of one type in, that type out.
    Select,
    /// A float in, a bool out.
    Check,
}
