//! ONNX models as graphs, and graphs as ONNX models. Knows no backend.
//!
//! [`OnnxModel`] is a file in memory; [`record_graph`] makes a graph of it for inputs of given extents. ONNX has channels first, a
//! graph channels last: every value carries the order of its axes, so that images are never transposed between convolutions.

mod apart;
mod call;
mod classifier;
mod dry;
mod error;
mod export;
mod extents;
mod first_norm;
mod fold;
mod graph;
mod host;
mod live;
mod model;
mod ops;
mod outputs;
mod parts;
mod pixels;
#[rustfmt::skip]
pub mod proto;
mod record;
pub mod registry;
mod sink;
mod structure;
mod tensor;
mod value;

pub use classifier::OnnxClassifier;
pub use error::{OnnxError, Result};
pub use export::{ExportOptions, Ranges, export, quantized, watched};
pub use first_norm::FirstNorm;
pub use graph::{Feed, record_graph};
pub use host::{Elem, Host, Values};
pub use model::OnnxModel;
pub use tensor::host;
