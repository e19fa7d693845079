//! Checks that backends agree: op cases, gradients, golden values.

pub mod compare;
pub mod golden;
