//! Writes the body of the matrix-product skeletons for one tile, fully unrolled: naga passes no unroll hint on.

use std::fmt::Write;

use super::side::Side;
use super::{ColumnReduction, Memory, Tile, TileOperand, columns, cooperative, shared};

fn sides<'a>(tile: &Tile, a: &'a TileOperand, b: &'a TileOperand) -> [Side<'a>; 2] {
    [
        Side { name: "a", locate: "a_row", origin: "m0", extent: tile.rows, operand: a },
        Side { name: "b", locate: "b_column", origin: "n0", extent: tile.columns, operand: b },
    ]
}

/// Elements in a word of workgroup memory, of each operand.
pub(super) fn lanes(tile: &Tile, a: &TileOperand, b: &TileOperand) -> [u32; 2] {
    sides(tile, a, b).map(|side| side.lanes(tile))
}

/// The statements of a tile, which follow those of the skeleton's `main`.
pub(super) fn body(tile: &Tile, a: &TileOperand, b: &TileOperand, reduced: ColumnReduction) -> String {
    let [a, b] = sides(tile, a, b);
    if let Memory::Cooperative { size, .. } = tile.memory {
        return indent(&cooperative::body(tile, size, &a, &b, reduced));
    }
    let mut lines = vec![
        format!("let m = thread / {}u * {}u;", tile.columns / tile.thread_columns, tile.thread_rows),
        format!("let n = thread % {}u * 4u;", tile.columns / tile.thread_columns),
    ];
    for i in 0..tile.thread_rows {
        for q in 0..tile.thread_columns / 4 {
            lines.push(format!("var sum{i}_{q} = vec4<f32>();"));
        }
    }
    match tile.memory {
        Memory::Workgroup => shared::shared_loop(&mut lines, tile, &a, &b),
        Memory::Direct | Memory::Cooperative { .. } => direct_loop(&mut lines, tile, &a, &b),
    }
    if reduced != ColumnReduction::None {
        columns::finish(&mut lines, tile, reduced);
        return indent(&lines);
    }
    if tile.memory == Memory::Direct {
        store_in_a_loop(&mut lines, tile);
        return indent(&lines);
    }
    for i in 0..tile.thread_rows {
        lines.push(format!("let row{i} = c_row(z, m0 + m + {i}u);"));
        for q in 0..tile.thread_columns / 4 {
            lines.push(format!("store4(row{i}, n0 + n + {}u, sum{i}_{q});", q * segment(tile)));
        }
    }
    indent(&lines)
}

/// Stores row after row: software devices spend most of their compile time on the epilogue where every row has its own
/// copy. The number of rows is one that compilers do not know, or they would unroll the loop again.
fn store_in_a_loop(lines: &mut Vec<String>, tile: &Tile) {
    let fours = tile.thread_columns / 4;
    let sums: Vec<String> = (0..tile.thread_rows * fours).map(|s| format!("sum{}_{}", s / fours, s % fours)).collect();
    lines.push(format!("var sums = array<vec4<f32>, {}>({});", sums.len(), sums.join(", ")));
    lines.push(format!("let rows = min({}u, GEMM_M - min(GEMM_M, m0 + m));", tile.thread_rows));
    lines.push("for (var i = 0u; i < rows; i++) {".into());
    lines.push("let row = c_row(z, m0 + m + i);".into());
    for q in 0..fours {
        lines.push(format!("store4(row, n0 + n + {}u, sums[i * {fours}u + {q}u]);", q * segment(tile)));
    }
    lines.push("}".into());
}

/// The distance between the groups of four columns of one thread: neighbouring threads store neighbouring fours.
pub(super) fn segment(tile: &Tile) -> u32 {
    tile.columns / (tile.thread_columns / 4)
}

fn indent(lines: &[String]) -> String {
    let mut text = String::new();
    let mut depth = 1usize;
    for line in lines {
        depth -= usize::from(line.starts_with('}'));
        let _ = writeln!(text, "{:1$}{line}", "", 4 * depth);
        depth += usize::from(line.ends_with('{'));
    }
    text
}

/// One term of every output of the thread.
pub(super) fn multiply(lines: &mut Vec<String>, tile: &Tile, a: impl Fn(u32) -> String, b: impl Fn(u32) -> String) {
    for i in 0..tile.thread_rows {
        multiply_row(lines, tile, i, &a(i), &b);
    }
}

/// One term of the thread's outputs of a row.
pub(super) fn multiply_row(lines: &mut Vec<String>, tile: &Tile, i: u32, a: &str, b: impl Fn(u32) -> String) {
    for q in 0..tile.thread_columns / 4 {
        lines.push(format!("sum{i}_{q} = fma(vec4<f32>({a}), {}, sum{i}_{q});", b(q)));
    }
}

fn direct_loop(lines: &mut Vec<String>, tile: &Tile, a: &Side, b: &Side) {
    let rows: Vec<String> = (0..tile.thread_rows).map(|i| format!("m + {i}u")).collect();
    let columns: Vec<String> =
        (0..tile.thread_columns).map(|j| format!("n + {}u", j / 4 * segment(tile) + j % 4)).collect();
    a.locate_all(lines, &rows);
    b.locate_all(lines, &columns);
    // There is one workgroup along z, which compilers do not know: they would unroll a short loop once more.
    lines.push("let end = range.y * groups.z;".into());
    lines.push(format!("for (var k = range.x; k < end; k += {}u) {{", tile.depth));
    let terms = tile.depth.min(4);
    for k in (0..tile.depth).step_by(4) {
        lines.push("{".into());
        a.fetch_terms(lines, tile.thread_rows, k, terms);
        b.fetch_terms(lines, tile.thread_columns, k, terms);
        for kk in 0..terms {
            let four = |q: u32| {
                if b.operand.width == 4 && !b.operand.along_k {
                    return format!("b{q}_{kk}");
                }
                let lanes: Vec<String> = (0..4).map(|c| b.element(4 * q + c, kk)).collect();
                format!("vec4<f32>({})", lanes.join(", "))
            };
            multiply(lines, tile, |i| a.element(i, kk), four);
        }
        lines.push("}".into());
    }
    lines.push("}".into());
}

impl Side<'_> {
    /// Locates the rows (or columns) that a thread loads without workgroup memory: every fourth if four at once.
    fn locate_all(&self, lines: &mut Vec<String>, positions: &[String]) {
        let Self { name, locate, origin, operand, .. } = self;
        let step = if operand.along_k { 1 } else { operand.width as usize };
        for (i, at) in positions.iter().step_by(step).enumerate() {
            lines.push(format!("let {name}_row{i} = {locate}(z, {origin} + {at});"));
            self.keep(lines, i, at, "n0 + n");
        }
    }

    /// Loads `terms` terms, four or one, of `count` rows (or columns) beginning at k + `k`.
    fn fetch_terms(&self, lines: &mut Vec<String>, count: u32, k: u32, terms: u32) {
        let Self { name, operand, .. } = self;
        let four_of_k = operand.along_k && operand.width == 4;
        let steps = if four_of_k { 1 } else { terms };
        for kk in 0..steps {
            lines.push(format!("let {name}_step{kk} = {name}_step(z, k, {}u);", k + kk));
        }
        let loads = if operand.along_k { count } else { count / operand.width };
        for i in 0..loads {
            for kk in 0..steps {
                let fetch = match operand.kept {
                    true => format!("{name}_take({name}_row{i}, {name}_step{kk}, {name}_mine{i})"),
                    false => format!("{name}_fetch({name}_row{i}, {name}_step{kk})"),
                };
                lines.push(format!("let {name}{i}_{kk} = {fetch};"));
            }
        }
    }

    /// The expression for row (or column) `i` at the `kk`-th of the four terms.
    fn element(&self, i: u32, kk: u32) -> String {
        let name = self.name;
        match (self.operand.width, self.operand.along_k) {
            (4, true) => format!("{name}{i}_0[{kk}]"),
            (4, false) => format!("{name}{}_{kk}[{}]", i / 4, i % 4),
            _ => format!("{name}{i}_{kk}"),
        }
    }
}
