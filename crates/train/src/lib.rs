//! Chiaro's training loop, metrics and run folder.
