//! What can go wrong while a graph is built or planned.

use crate::dtype::DType;

/// An error of the graph crate. Messages name the op, the shapes and the layer path.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// Operand shapes do not fit the op.
    #[error("{op}{at}: {detail}; operand shapes {shapes:?}", at = place(path))]
    Shape {
        /// The op's name.
        op: String,
        /// The operands' shapes.
        shapes: Vec<Vec<usize>>,
        /// What is wrong with them.
        detail: String,
        /// Layer path, such as `layer1/conv2`.
        path: String,
    },
    /// Operand element types do not fit the op.
    #[error("{op}{at}: {detail}; operand types {dtypes:?}", at = place(path))]
    DType {
        /// The op's name.
        op: String,
        /// The operands' element types.
        dtypes: Vec<DType>,
        /// What is wrong with them.
        detail: String,
        /// Layer path.
        path: String,
    },
    /// A gradient was asked for that does not exist.
    #[error("no gradient: {0}")]
    NotDifferentiable(String),
    /// Two inputs, states or outputs have one name.
    #[error("the name {0:?} is used twice in one graph")]
    DuplicateName(String),
    /// A value, state or arena of another graph was given.
    #[error("{op}{at}: the {what} is of another graph", at = place(path))]
    Foreign {
        /// The op's name.
        op: String,
        /// What was given.
        what: &'static str,
        /// Layer path.
        path: String,
    },
    /// An index that is known while the graph is built selects nothing.
    #[error("{op}{at}: {detail}", at = place(path))]
    Index {
        /// The op's name.
        op: String,
        /// The index, and what it may be.
        detail: String,
        /// Layer path.
        path: String,
    },
    /// The computer has no memory for something that is made while the graph is.
    #[error("this computer has no memory for {what}; {hint}")]
    Memory {
        /// What was to be made.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// A plan exceeds a limit of the device.
    #[error("{what} needs {needed} bytes, but the device allows {available}; {hint}")]
    TooLarge {
        /// The tensor, with its shape and layer path.
        what: String,
        /// Bytes it needs.
        needed: usize,
        /// Bytes the device allows for one binding.
        available: usize,
        /// What the user can do.
        hint: String,
    },
    /// The planner broke one of its invariants: a fault of this library, found before anything ran.
    #[error("the plan is wrong after `{pass}`: {detail}; this is a fault of chiaro: please report it with the model")]
    Plan {
        /// The pass after which it was found.
        pass: &'static str,
        /// The invariant, the calls and the buffers.
        detail: String,
    },
}

fn place(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" in {path}") }
}

/// Result of building or planning a graph.
pub type Result<T> = std::result::Result<T, GraphError>;
