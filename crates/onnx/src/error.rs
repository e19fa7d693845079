//! What can go wrong with ONNX models.

use std::path::PathBuf;

use chiaro_graph::GraphError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The file, or one that it refers to, cannot be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// The bytes are no ONNX model, or one that contradicts itself.
    #[error("not a usable ONNX model: {0}")]
    Format(String),
    /// Ops that are not known here: all of them, each with a node and its version.
    #[error("the model has ops that are not supported: {}", .0.join("; "))]
    Unsupported(Vec<String>),
    /// A value that must be known before the model runs is computed by it, or given to it.
    #[error("{node}: {what:?} must be fixed, but is computed when the model runs")]
    NotFixed {
        /// The node.
        node: String,
        /// The value's name.
        what: String,
    },
    /// A node whose inputs or attributes cannot be.
    #[error("{node}: {detail}")]
    Node {
        /// Op and name.
        node: String,
        /// What is wrong.
        detail: String,
    },
    /// The graph refuses what a node asks for.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The model's result is not what a classifier's is.
    #[error("{0}")]
    Classifier(String),
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, OnnxError>;

impl OnnxError {
    /// Says at which node it happened, unless it does already.
    pub(crate) fn at(self, node: &str) -> OnnxError {
        match self {
            OnnxError::Graph(cause) => OnnxError::Node { node: node.into(), detail: cause.to_string() },
            OnnxError::Node { node: inner, detail } if inner.is_empty() => {
                OnnxError::Node { node: node.into(), detail }
            }
            OnnxError::NotFixed { node: inner, what } if inner.is_empty() => {
                OnnxError::NotFixed { node: node.into(), what }
            }
            other => other,
        }
    }

    /// A fault of the node that is being recorded.
    pub(crate) fn node(detail: impl Into<String>) -> OnnxError {
        OnnxError::Node { node: String::new(), detail: detail.into() }
    }
}
