//! The WGSL compute shaders of Chiaro, their composition and validation.
//!
//! A kernel is a file of `wgsl/` with the parts that it names. A kernel specification ([`kernels`]) takes its declarations, puts
//! the shape in as constants, and says how many workgroups to dispatch; the caller may then put generated code into its
//! [hooks](Hook) and calls [`Source::build`].

mod beside;
mod declaration;
pub mod dispatch;
mod elem;
mod error;
pub mod gemm;
mod hook;
pub mod kernels;
mod parse;
mod registry;
mod source;
pub mod validate;

pub use beside::{Neighbour, beside};
pub use declaration::{BufferAccess, StorageBuffer};
pub use elem::Elem;
pub use error::ShaderError;
pub use gemm::{ColumnReduction, Memory, Tile};
pub use hook::Hook;
pub use kernels::ShaderKernel;
pub use parse::with_prefix;
pub use registry::{Shader, shader};
pub use source::{ConstValue, Source};
