//! The layers, one file each.

mod activation;
mod basic_block;
mod batch_norm;
mod conv2d;
mod dropout;
mod flatten;
mod linear;
mod pool;
mod residual;
mod sequential;
mod squeeze_excite;

pub use activation::{Activation, Map};
pub use basic_block::BasicBlock;
pub use batch_norm::BatchNorm2d;
pub use conv2d::Conv2d;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use linear::Linear;
pub use pool::{AdaptiveAvgPool2d, AvgPool2d, GlobalAvgPool, MaxPool2d};
pub use residual::Residual;
pub use sequential::Sequential;
pub use squeeze_excite::SqueezeExcite;
