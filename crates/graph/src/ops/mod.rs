//! The ops: one file a family, with its builder (shape and type rule), its gradient, its kernel and that one's geometry, operations and words in
//! reports; `rules` says which is whose.
//! Every method of the builder checks shapes, types and numbers as it adds a node, and that values are of its
//! graph: no argument makes it panic, and no shape wraps.

mod adaptive;
mod conv;
mod declare;
mod elementwise;
mod index;
mod joining;
mod loss;
mod matmul;
mod movement;
mod norm;
mod pool;
mod random;
mod reduce;
mod regression;
mod resize;
mod rules;
mod sample_images;
mod softmax;
mod tone_tables;
mod widen;

pub use conv::ConvShape;
pub use index::AxisShape;
pub use loss::{CrossEntropyOptions, Reduction};
pub use matmul::MatMulShape;
pub use pool::PoolShape;
pub use resize::ResizeMode;
pub(crate) use rules::{Backward, Cotangents, NodeShapes, Role, Rules, cotangents, kernel, role};
pub use sample_images::{CHANGES, COLOUR_ONE, Edge, MIXED_CHANNELS, PLACE_ONE, SampleBy, Sampling};
pub use tone_tables::Tone;
