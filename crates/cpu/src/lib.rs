//! Chiaro's CPU backend and its float64 reference executor.

mod backend;
mod exec;
pub mod kernels;
mod large;
mod peaks;
mod raw;
pub mod reference;
mod threads;

pub use backend::Cpu;
