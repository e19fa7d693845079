//! The command line of Chiaro.
fn main() {}
