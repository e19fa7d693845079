//! Pointwise kernels: a program alone, one thread for four neighbouring points where that suits its views, else for one.

use chiaro_graph::plan::{Operand, Program};

use super::emit::{Emitter, Point};
use super::functions::Functions;
use super::{enabled, is_vector, slots, used, views};

/// Invocations of a workgroup.
const THREADS: u32 = 64;

/// A pointwise kernel and how it is dispatched.
pub(crate) struct Pointwise {
    /// The WGSL.
    pub text: String,
    /// Positions of the operands bound, in the order of bindings.
    pub binds: Vec<usize>,
    /// Workgroups.
    pub workgroups: u64,
}

/// Generates the kernel of a program.
pub(crate) fn pointwise(program: &Program, operands: &[Operand]) -> Pointwise {
    let lanes = lane_axis(program, operands.len());
    let slots = slots(operands, &[(program, lanes)]);
    let binds: Vec<usize> = (0..operands.len()).filter(|&i| used(&[program], i)).collect();
    let mut functions = Functions::default();
    let rank = program.domain.len();
    let point = Point { parts: vec![(0..rank, "i")], lanes, prefix: "" };
    let mut emitter = Emitter::new(program, &slots, point, &mut functions);
    emitter.run(&[]);
    emitter.stores();
    let body = std::mem::take(&mut emitter.text);
    let count: u64 = program.domain.iter().map(|&n| n as u64).product();
    let items = if lanes.is_some() { count / 4 } else { count };
    let scale = if lanes.is_some() { " * 4u" } else { "" };
    let mut text = String::new();
    for (binding, &i) in binds.iter().enumerate() {
        text += &slots[i].buffer(&operands[i]).declaration(binding);
    }
    text += &functions.text();
    text += &format!(
        "@compute @workgroup_size({THREADS})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {{
    let item = (group.x + group.y * groups.x) * {THREADS}u + thread;
    if (item >= {items}u) {{
        return;
    }}
    let i = item{scale};
{body}}}
"
    );
    Pointwise { text: enabled(text), binds, workgroups: items.div_ceil(u64::from(THREADS)) }
}

/// The last axis, where its extent is a multiple of four and some operand is then read or written as vectors.
fn lane_axis(program: &Program, operands: usize) -> Option<usize> {
    let axis = program.domain.len().checked_sub(1)?;
    let helps = (0..operands).any(|o| views(program, o).any(|v| is_vector(v, axis)));
    (program.domain[axis].is_multiple_of(4) && helps).then_some(axis)
}
