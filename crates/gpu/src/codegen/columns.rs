//! The kernel that merges the parts of column reductions, which tiles left in scratch as `[value, part, column]`, and runs the
//! program that finishes the columns.

use std::fmt::Write;

use chiaro_graph::plan::{ColumnKind, Columns, Operand, Program};
use chiaro_shaders::{BufferAccess, StorageBuffer};

use super::emit::{Emitter, Lanes, Point};
use super::functions::Functions;
use super::{BindingSlot, ReducePass, enabled, slots, used};

/// Neighbouring columns of a workgroup: few, so that many threads share the parts of each.
const SIDE: usize = 8;
/// Invocations of a workgroup.
const THREADS: usize = 256;

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
    fn tiles(&self) -> usize {
        self.rows.div_ceil(self.tile)
    }

    /// Parts of each column.
    pub fn count(&self) -> usize {
        self.tiles() * self.phases
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
    let _ = writeln!(text, "var<workgroup> shared_sums: array<f32, {THREADS}>;");
    text += &functions.text();
    text += SUM_OF_THREADS;
    text += &body;
    ReducePass { text: enabled(text), binds, scratch: true, workgroups: count.div_ceil(SIDE) as u64 }
}

/// Adds what the threads of a column have; all of them get the sum.
const SUM_OF_THREADS: &str = "fn sum_of_threads(thread: u32, value: f32) -> f32 {
    workgroupBarrier();
    shared_sums[thread] = value;
    for (var half = 128u; half >= 8u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            shared_sums[thread] += shared_sums[thread + half];
        }
    }
    workgroupBarrier();
    return shared_sums[thread % 8u];
}
";

fn body(
    columns: &Columns,
    parts: &ColumnParts,
    count: usize,
    slots: &[BindingSlot],
    functions: &mut Functions,
) -> String {
    let mut text = format!(
        "@compute @workgroup_size({THREADS})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {{
    let column = (group.x + group.y * groups.x) * {SIDE}u + thread % {SIDE}u;
    let at = min(column, {}u);
",
        count - 1
    );
    let mut values = vec![];
    for (_, kind) in &columns.results {
        let first = values.len();
        values.extend((first..first + kind.values()).map(|v| format!("value{v}")));
        match kind {
            ColumnKind::Sum => sum(&mut text, &format!("value{first}"), &|value| value(first), parts, count),
            ColumnKind::Moments => moments(&mut text, first, parts, count),
        }
    }
    let _ = writeln!(text, "    if (thread >= {SIDE}u || column >= {count}u) {{\n        return;\n    }}");
    finish(&columns.program, &values, slots, functions, &mut text);
    text += "}\n";
    text
}

/// The expression for a part's value of a number.
type ValueOf<'a> = &'a dyn Fn(usize) -> String;

/// Defines `name` as the sum over the parts of `term`, in which `value(v)` stands for the part's value of number `v`.
fn sum(text: &mut String, name: &str, term: &dyn Fn(ValueOf) -> String, parts: &ColumnParts, count: usize) {
    let ColumnParts { rows, tile, .. } = *parts;
    let (all, tiles) = (parts.count(), parts.tiles());
    let value = |v: usize| format!("parts[({}u + part) * {count}u + at]", v * all);
    let term = term(&value);
    let weight = match term.contains("rows") {
        true => format!("        let rows = f32(min({tile}u, {rows}u - part % {tiles}u * {tile}u));\n"),
        false => String::new(),
    };
    let _ = write!(
        text,
        "    var {name}_part = 0.0;
    for (var part = thread / {SIDE}u; part < {all}u; part += {}u) {{
{weight}        {name}_part += {term};
    }}
    let {name} = sum_of_threads(thread, {name}_part);
",
        THREADS / SIDE,
    );
}

/// The mean of the parts' means, weighted by their rows; then the squares of the parts and of their means' distances from it.
fn moments(text: &mut String, first: usize, parts: &ColumnParts, count: usize) {
    let total = parts.rows * parts.phases;
    sum(text, "weighted", &|value| format!("{} * rows", value(first)), parts, count);
    let _ = writeln!(text, "    let value{first} = weighted / {total}.0;");
    let far = |value: ValueOf| format!("({} - value{first})", value(first));
    let squares = |value: ValueOf| format!("{} + {1} * {1} * rows", value(first + 1), far(value));
    sum(text, "squares", &squares, parts, count);
    let _ = writeln!(text, "    let value{} = squares / {total}.0;", first + 1);
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
