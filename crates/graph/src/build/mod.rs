//! The builder: one file a family of ops. Every method checks shapes and types as it adds a node.

mod conv;
mod elementwise;
mod images;
mod index;
mod loss;
mod matmul;
mod movement;
mod norm;
mod pool;
mod reduce;
mod resize;
mod widen;

pub use loss::{CrossEntropyOptions, Reduction};
pub use resize::ResizeMode;
