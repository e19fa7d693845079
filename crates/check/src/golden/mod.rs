//! Golden values: reads the files that PyTorch wrote, runs every case on a backend and compares.

mod attrs;
mod limits;
mod nets;
mod operands;
mod ops;
mod reader;
mod run;
mod shapes;

pub use attrs::Attrs;
pub use reader::{Golden, GoldenCase, GoldenError};
pub use run::{FAMILIES, GoldenCheck, run_case, run_family};
pub use shapes::second_axis_last;
