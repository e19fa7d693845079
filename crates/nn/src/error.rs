//! What can go wrong while a model or a step is built.

use chiaro_graph::GraphError;

/// An error of this crate.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum NnError {
    /// A layer does not fit its input; the message names the op, the shapes and the layer path.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A model, optimizer or the like of this name does not exist.
    #[error("unknown {kind} {name:?}; known are {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// An option is outside its range, or options contradict each other.
    #[error("{0}")]
    Option(String),
    /// Values and the states of an arena do not fit each other.
    #[error("{0}")]
    Arena(String),
}

/// Result of building models and steps.
pub type Result<T> = std::result::Result<T, NnError>;
