//! Generated WGSL: whole pointwise and reduction kernels, and the epilogues of the others, all from programs.

mod binding;
mod column_groups;
mod columns;
mod emit;
mod epilogue;
mod functions;
mod loads;
mod pointwise;
mod reduce;

use chiaro_graph::DType;
use chiaro_graph::plan::{Operand, Program, View};
use chiaro_shaders::{BufferAccess, StorageBuffer};

pub(crate) use binding::Composed;
pub(crate) use columns::{ColumnParts, merge_columns};
pub(crate) use epilogue::{own_store, with_epilogue};
pub(crate) use functions::stored_type;
pub(crate) use loads::with_loads;
pub(crate) use pointwise::pointwise;
pub(crate) use reduce::{ReducePass, most_parts, reduce};

/// How generated code reaches an operand of its step.
#[derive(Debug, Clone)]
pub(crate) struct BindingSlot {
    /// Name of the buffer variable.
    pub name: String,
    /// Stored type.
    pub dtype: DType,
    /// Elements of the variable's array elements: 1 or 4.
    pub width: u32,
}

impl BindingSlot {
    fn word(&self) -> String {
        match self.width {
            4 => format!("vec4<{}>", stored_type(self.dtype)),
            _ => stored_type(self.dtype).to_string(),
        }
    }

    /// The buffer of an operand that is reached so.
    pub fn buffer(&self, operand: &Operand) -> StorageBuffer {
        let access = if writable(operand) { BufferAccess::ReadWrite } else { BufferAccess::Read };
        StorageBuffer::new(self.name.as_str(), access, self.word())
    }
}

/// A slot for every operand of a step; `views` gives those through which each is used along the axis of the lanes.
fn slots(operands: &[Operand], lane_uses: &[(&Program, Option<usize>)]) -> Vec<BindingSlot> {
    let width = |operand: usize| {
        let mut used = false;
        let all = lane_uses.iter().all(|(program, axis)| {
            views(program, operand).all(|view| {
                used = true;
                axis.is_some_and(|axis| is_vector(view, axis))
            })
        });
        if used && all { 4 } else { 1 }
    };
    let slot = |(i, o): (usize, &Operand)| BindingSlot { name: format!("operand{i}"), dtype: o.dtype, width: width(i) };
    operands.iter().enumerate().map(slot).collect()
}

/// The views through which a program uses an operand.
fn views(program: &Program, operand: usize) -> impl Iterator<Item = &View> {
    use chiaro_graph::plan::Instr;
    let loads = program.instrs.iter().filter_map(Instr::load).filter(move |(o, _)| *o == operand);
    loads.map(|(_, view)| view).chain(program.stores.iter().filter(move |s| s.operand == operand).map(|s| &s.view))
}

/// Do four neighbours along an axis lie in one vector?
fn is_vector(view: &View, axis: usize) -> bool {
    let others = view.strides.iter().enumerate().all(|(i, s)| i == axis || s % 4 == 0);
    view.strides.get(axis) == Some(&1) && view.offset % 4 == 0 && others
}

/// Operands that a program uses.
fn used(programs: &[&Program], operand: usize) -> bool {
    programs.iter().any(|p| views(p, operand).next().is_some())
}

/// Must a binding of this operand allow writes?
pub(crate) fn writable(operand: &Operand) -> bool {
    operand.access != chiaro_graph::plan::Access::Read
}

/// The text of a whole kernel, with `enable f16;` in front where 16-bit floats occur in it.
fn enabled(text: String) -> String {
    let half = text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "f16");
    if half && !text.contains("enable f16;") { format!("enable f16;\n{text}") } else { text }
}
