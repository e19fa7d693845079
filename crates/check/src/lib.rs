//! Checks that backends agree: op cases, gradients, golden values.
