//! The WGSL compute shaders of Chiaro, their composition and validation.
