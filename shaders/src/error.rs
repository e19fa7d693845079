//! What can go wrong when a shader is composed, validated or given a shape.

/// Why a shader could not be composed, validated or sized.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShaderError {
    /// No shader of this name is in the registry.
    #[error("there is no shader called {0:?}")]
    UnknownShader(String),
    /// What is named must be declared exactly once.
    #[error("shader {shader}: {what} {name:?} was found {found} times, not once")]
    NotOnce {
        /// The shader being composed.
        shader: String,
        /// `const`, `alias`, `fn`, `buffer` or `declaration`.
        what: &'static str,
        /// The name that was looked for.
        name: String,
        /// How many there are.
        found: usize,
    },
    /// Generated code put in place of a function does not define that function.
    #[error("shader {shader}: the code given for fn {name:?} does not define it")]
    MissingFn {
        /// The shader being composed.
        shader: String,
        /// The function that was to be replaced.
        name: String,
    },
    /// A constant is given a value of another type.
    #[error("shader {shader}: const {name:?} is {declared}, not {given}")]
    ConstType {
        /// The shader being composed.
        shader: String,
        /// The constant.
        name: String,
        /// The type that the template declares.
        declared: String,
        /// That of the value.
        given: &'static str,
    },
    /// The template leaves open what nobody gave.
    #[error("shader {shader}: {name:?} was not given")]
    NotGiven {
        /// The shader being composed.
        shader: String,
        /// The constant or alias.
        name: String,
    },
    /// A constant has no WGSL literal (an infinity or a NaN).
    #[error("shader {shader}: {value} cannot be the value of const {name:?}")]
    NoLiteral {
        /// The shader being composed.
        shader: String,
        /// The constant.
        name: String,
        /// The value as Rust prints it.
        value: String,
    },
    /// A tile whose parts do not divide one another.
    #[error("tile {tile} cannot be used: {reason}")]
    Tile {
        /// The tile as `Tile` prints it.
        tile: String,
        /// Which condition does not hold.
        reason: &'static str,
    },
    /// A shape that the kernel cannot compute.
    #[error("{kernel}: {reason}")]
    Shape {
        /// The kernel.
        kernel: &'static str,
        /// What is wrong with the shape.
        reason: String,
    },
    /// naga rejected the source.
    #[error("{0}")]
    Invalid(String),
    /// naga could not write the module in another language.
    #[error("{language}: {message}")]
    Translate {
        /// `SPIR-V`, `MSL` or `HLSL`.
        language: &'static str,
        /// naga's message.
        message: String,
    },
}
