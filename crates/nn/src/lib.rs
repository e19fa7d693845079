//! Layers, losses, optimizers, schedules and models for Chiaro.
