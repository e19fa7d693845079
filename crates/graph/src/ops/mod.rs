//! The ops: one file a family, with its builder (shape and type rule), its gradient and its geometry; `lowering` says how each is planned.
//! Every method of the builder checks shapes, types and numbers as it adds a node, and that values are of its
//! graph: no argument makes it panic, and no shape wraps.

mod conv;
mod declare;
mod elementwise;
mod index;
pub(crate) mod loss;
mod lowering;
pub(crate) mod matmul;
pub(crate) mod movement;
pub(crate) mod norm;
mod pool;
mod random;
pub(crate) mod reduce;
mod regression;
mod resize;
mod sample_images;
mod tone_tables;
mod widen;

pub use loss::{CrossEntropyOptions, Reduction};
pub(crate) use lowering::{Role, kernel, role};
pub use resize::ResizeMode;
pub use sample_images::{CHANGES, COLOUR_ONE, Edge, MIXED_CHANNELS, PLACE_ONE, SampleBy, Sampling};
pub use tone_tables::Tone;
