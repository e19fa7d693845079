//! The tables that ship, one a device. Written by `cargo xtask gpu-results` from the files beside it.

/// Their texts.
#[rustfmt::skip]
pub(super) const SHIPPED: &[&str] = &[
];
