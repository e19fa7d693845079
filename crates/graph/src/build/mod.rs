//! The builder: one file a family of ops. Every method checks shapes, types and numbers as it adds a node, and that values are of its
//! graph: no argument makes it panic, and no shape wraps.

mod conv;
mod declare;
mod elementwise;
mod images;
mod index;
mod loss;
mod matmul;
mod movement;
mod norm;
mod pool;
mod random;
mod reduce;
mod regression;
mod resize;
mod widen;

pub use loss::{CrossEntropyOptions, Reduction};
pub use resize::ResizeMode;
