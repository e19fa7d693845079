//! The tensor graph of Chiaro: ops, shapes, gradients, and the plan of a training step.
