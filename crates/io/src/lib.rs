//! Checkpoints and weight files for Chiaro.
