//! Chiaro's GPU backend on wgpu.
