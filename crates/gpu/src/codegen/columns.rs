//! The kernel that merges the parts of column reductions, which tiles left in scratch as `[value, part, column]`, and runs the
//! program that finishes the columns.

use std::fmt::Write;

use chiaro_graph::plan::{ColumnKind, Columns, Operand, Program};
use chiaro_shaders::{BufferAccess, StorageBuffer};

use super::column_groups::groups;
use super::emit::{Emitter, Lanes, Point};
use super::functions::Functions;
use super::{BindingSlot, ReducePass, enabled, slots, used};

/// Invocations of a workgroup.
pub(super) const THREADS: usize = 256;
/// Neighbouring columns of a workgroup, at most: what a memory transaction brings.
const WIDEST: usize = 8;
/// Parts of a column that a thread reads at once, and after which columns are given to more workgroups.
pub(super) const AT_ONCE: usize = 8;

/// How the tiles of a kernel divide the rows of its result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ColumnParts {
    /// Rows of a phase; each is divided anew.
    pub rows: usize,
    /// Rows of a tile.
    pub tile: usize,
    /// Phases.
    pub phases: usize,
}

impl ColumnParts {
    /// Tiles of one phase.
    pub(super) fn tiles(&self) -> usize {
        self.rows.div_ceil(self.tile)
    }

    /// Parts of each column.
    pub fn count(&self) -> usize {
        self.tiles() * self.phases
    }

    /// Columns of a workgroup: so few that its threads read all parts at once, if there are not more.
    pub(super) fn side(&self) -> usize {
        let most = (THREADS * AT_ONCE / self.count().max(1)).clamp(1, WIDEST);
        1 << most.ilog2()
    }
}

/// Generates the merging kernel.
pub(crate) fn merge_columns(columns: &Columns, parts: &ColumnParts, operands: &[Operand]) -> ReducePass {
    let program = &columns.program;
    let count: usize = program.domain.iter().product();
    let slots = slots(operands, &[(program, None)]);
    let binds: Vec<usize> = (0..operands.len()).filter(|&i| used(&[program], i)).collect();
    let mut functions = Functions::default();
    let body = body(columns, parts, count, &slots, &mut functions);
    let mut text = String::new();
    for (binding, &i) in binds.iter().enumerate() {
        text += &slots[i].buffer(&operands[i]).declaration(binding);
    }
    text += &StorageBuffer::new("parts", BufferAccess::Read, "f32").declaration(binds.len());
    let kinds: Vec<ColumnKind> = columns.results.iter().map(|result| result.1).collect();
    text += &functions.text();
    for group in groups(&kinds) {
        text += &group.joining(parts.side());
    }
    text += &body;
    ReducePass { text: enabled(text), binds, scratch: true, workgroups: count.div_ceil(parts.side()) as u64 }
}

fn body(
    columns: &Columns,
    parts: &ColumnParts,
    count: usize,
    slots: &[BindingSlot],
    functions: &mut Functions,
) -> String {
    let side = parts.side();
    let mut text = format!(
        "@compute @workgroup_size({THREADS})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {{
    let column = (group.x + group.y * groups.x) * {side}u + thread % {side}u;
    let at = min(column, {}u);
",
        count - 1
    );
    let kinds: Vec<ColumnKind> = columns.results.iter().map(|result| result.1).collect();
    text.extend(groups(&kinds).iter().map(|group| group.merge(parts, count)));
    let values: Vec<String> = (0..columns.values()).map(|v| format!("value{v}")).collect();
    let _ = writeln!(text, "    if (thread >= {side}u || column >= {count}u) {{\n        return;\n    }}");
    finish(&columns.program, &values, slots, functions, &mut text);
    text += "}\n";
    text
}

/// The program at one column.
fn finish(program: &Program, values: &[String], slots: &[BindingSlot], functions: &mut Functions, text: &mut String) {
    let rank = program.domain.len();
    let point = Point { parts: vec![(0..rank, "column")], lanes: None, prefix: "e" };
    let mut emitter = Emitter::new(program, slots, point, functions);
    emitter.run(&values.iter().cloned().map(Lanes::Same).collect::<Vec<_>>());
    emitter.stores();
    *text += &emitter.text;
}
