//! A shader made of a template, with the operands that are bound to its buffers.

use chiaro_graph::plan::Operand;
use chiaro_shaders::{ShaderError, Source};

use super::writable;

/// A shader whose operands are known.
pub(crate) struct Composed {
    /// The WGSL.
    pub text: String,
    /// Positions of the operands bound, in the order of bindings.
    pub binds: Vec<usize>,
    /// Whether scratch is bound behind them.
    pub scratch: bool,
}

impl Composed {
    /// The text of a source whose first buffers are these operands, with the access that they ask for.
    ///
    /// # Errors
    /// Those of the composition.
    pub fn new(source: Source, binds: Vec<usize>, operands: &[Operand]) -> Result<Composed, ShaderError> {
        let written = (0..binds.len()).filter(|&number| writable(&operands[binds[number]]));
        let source = written.fold(source, |source, number| source.allow_writes(number));
        let scratch = source.buffers().iter().any(|buffer| buffer.scratch);
        Ok(Composed { text: source.build()?, binds, scratch })
    }
}
