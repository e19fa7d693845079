//! The buffers that a shader from a `.wgsl` file declares, and a shader with the operands that are bound to them.

use chiaro_graph::plan::Operand;
use chiaro_shaders::ShaderError;

use super::writable;

/// A kernel with its epilogue.
pub(crate) struct Composed {
    /// The WGSL.
    pub text: String,
    /// Positions of the operands bound, in the order of bindings; behind them the parts of columns, if there are any.
    pub binds: Vec<usize>,
}

/// A declared storage buffer.
pub(super) struct DeclaredBuffer {
    pub line: String,
    pub name: String,
    element: String,
}

impl DeclaredBuffer {
    pub fn find(text: &str, number: usize) -> Result<DeclaredBuffer, ShaderError> {
        let head = format!("@group(0) @binding({number}) var<storage, ");
        let invalid = || ShaderError::Invalid(format!("no plain declaration of binding {number}"));
        let line = text.lines().find(|l| l.starts_with(&head)).ok_or_else(invalid)?;
        let declared = line[head.len()..].split_once("> ").ok_or_else(invalid)?.1;
        let (name, ty) = declared.split_once(": array<").ok_or_else(invalid)?;
        let element = ty.split_once(">;").ok_or_else(invalid)?.0;
        Ok(DeclaredBuffer { line: line.to_string(), name: name.to_string(), element: element.to_string() })
    }

    pub fn is_vector(&self, text: &str) -> bool {
        let alias = format!("alias {} = vec4<", self.element);
        self.element.starts_with("vec4<") || text.lines().any(|l| l.starts_with(&alias))
    }
}

/// Declares the first buffers with the access that the step's operands ask for.
pub(super) fn declare_access(text: &str, binds: &[usize], operands: &[Operand]) -> Result<String, ShaderError> {
    let mut text = text.to_string();
    for (number, &operand) in binds.iter().enumerate() {
        if writable(&operands[operand]) {
            let line = DeclaredBuffer::find(&text, number)?.line;
            text = text.replace(&line, &line.replace("var<storage, read>", "var<storage, read_write>"));
        }
    }
    Ok(text)
}
