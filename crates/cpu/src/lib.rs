//! Chiaro's CPU backend and its float64 reference executor.

pub mod kernels;
pub mod reference;
