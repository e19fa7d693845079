//! The WGSL compute shaders of Chiaro, their composition and validation.
//!
//! Every file of `wgsl/` parses and validates alone. A kernel specification ([`kernels`]) takes the file, puts the
//! shape in as constants, and says how many workgroups to dispatch; the caller may then swap in generated code and
//! calls [`Source::build`].

pub mod dispatch;
mod elem;
mod error;
pub mod gemm;
pub mod kernels;
mod registry;
mod source;
pub mod validate;

pub use elem::Elem;
pub use error::ShaderError;
pub use gemm::{COLUMN_PARTS, Columns, Memory, Tile};
pub use kernels::Kernel;
pub use registry::{SHADERS, Shader, shader};
pub use source::{ConstValue, Source};
