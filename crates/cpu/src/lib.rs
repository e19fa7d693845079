//! Chiaro's CPU backend and its float64 reference executor.

mod backend;
mod exec;
pub mod kernels;
mod peaks;
pub mod reference;

pub use backend::Cpu;
