//! Writes the body of the matrix-product skeletons for one tile, fully unrolled: naga passes no unroll hint on.

use std::fmt::Write;

use super::{Columns, Memory, Operand, Tile, columns, cooperative};

/// `store4` for a result whose rows are a multiple of four elements long.
pub(super) const STORE_VECTOR: &str = "fn store4(row: CRow, n: u32, value: vec4<f32>) {
    if (row.valid & (n < GEMM_N)) {
        c[(row.base + n) / 4u] = CWord(epilogue4(value, row.base + n));
    }
}";

/// One operand as the body sees it: the names it uses, the extent of its tile, and how it is loaded.
pub(super) struct Side<'a> {
    /// `a` or `b`.
    pub name: &'static str,
    /// `a_row` or `b_column`.
    locate: &'static str,
    /// Where the workgroup's tile begins: `m0` or `n0`.
    origin: &'static str,
    /// Rows or columns of the tile.
    pub extent: u32,
    pub operand: &'a Operand,
}

/// The statements between the marks of `region body`.
pub(super) fn body(tile: &Tile, a: &Operand, b: &Operand, reduced: Columns) -> String {
    let a = Side { name: "a", locate: "a_row", origin: "m0", extent: tile.rows, operand: a };
    let b = Side { name: "b", locate: "b_column", origin: "n0", extent: tile.columns, operand: b };
    if let Memory::Cooperative { size } = tile.memory {
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
        Memory::Workgroup => shared_loop(&mut lines, tile, &a, &b),
        Memory::Direct | Memory::Cooperative { .. } => direct_loop(&mut lines, tile, &a, &b),
    }
    if reduced != Columns::None {
        columns::finish(&mut lines, tile, reduced, segment(tile));
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
fn segment(tile: &Tile) -> u32 {
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

/// The type of what a thread holds of the operands.
fn scalar(tile: &Tile) -> &'static str {
    if matches!(tile.memory, Memory::Cooperative { .. }) { "f16" } else { "f32" }
}

fn shared_loop(lines: &mut Vec<String>, tile: &Tile, a: &Side, b: &Side) {
    a.prepare(lines, tile);
    b.prepare(lines, tile);
    a.read_bases(lines, tile, "m");
    b.read_bases(lines, tile, "n");
    open_loop(lines, tile, a, b);
    for kk in 0..tile.depth {
        lines.push("{".into());
        let at = a.read_base(tile, kk);
        for i in 0..tile.thread_rows {
            lines.push(format!("let a{i} = a_tile[{at} + {}u];", kk * tile.rows + i));
        }
        let at = b.read_base(tile, kk);
        for q in 0..tile.thread_columns / 4 {
            let first = kk * tile.columns + q * segment(tile);
            let four: Vec<String> = (0..4).map(|c| format!("b_tile[{at} + {}u]", first + c)).collect();
            lines.push(format!("let b{q} = vec4<f32>({});", four.join(", ")));
        }
        multiply(lines, tile, |i| format!("a{i}"), |q| format!("b{q}"));
        lines.push("}".into());
    }
    lines.push("workgroupBarrier();".into());
    lines.push("}".into());
}

/// The head of the loop over k: this step's elements go to workgroup memory, the next step's are loaded meanwhile.
pub(super) fn open_loop(lines: &mut Vec<String>, tile: &Tile, a: &Side, b: &Side) {
    lines.push("var k = range.x;".into());
    lines.push("if (k < range.y) {".into());
    a.load(lines, tile);
    b.load(lines, tile);
    lines.push("}".into());
    lines.push("while (k < range.y) {".into());
    a.share(lines, tile);
    b.share(lines, tile);
    lines.push("workgroupBarrier();".into());
    lines.push("k += TILE_K;".into());
    lines.push("if (k < range.y) {".into());
    a.load(lines, tile);
    b.load(lines, tile);
    lines.push("}".into());
}

/// One term of every output of the thread.
fn multiply(lines: &mut Vec<String>, tile: &Tile, a: impl Fn(u32) -> String, b: impl Fn(u32) -> String) {
    for i in 0..tile.thread_rows {
        for q in 0..tile.thread_columns / 4 {
            lines.push(format!("sum{i}_{q} = fma(vec4<f32>({}), {}, sum{i}_{q});", a(i), b(q)));
        }
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
    /// The fours of the tile that one thread loads.
    fn loads(&self, tile: &Tile) -> u32 {
        self.extent * tile.depth / 4 / tile.threads()
    }

    /// By how much the position of an element is turned for every four of k, so that the transposing stores of a
    /// subgroup fall on different banks of workgroup memory. 0 where elements are stored as they are loaded.
    fn turn(&self, tile: &Tile) -> u32 {
        let fours = tile.depth / 4;
        let turn = (32 / fours).max(8);
        let room = self.extent.min(if self.name == "b" { segment(tile) } else { self.extent });
        if self.operand.along_k && (fours - 1) * turn < room { turn } else { 0 }
    }

    /// The distance between rows of the tile in workgroup memory. Cooperative matrices take a tile as it was loaded; eight
    /// elements more keep neighbouring rows on different banks.
    pub fn pitch(&self, tile: &Tile) -> u32 {
        match tile.memory {
            Memory::Cooperative { .. } if self.operand.along_k => tile.depth + 8,
            Memory::Cooperative { .. } => self.extent + 8,
            _ => self.extent,
        }
    }

    /// What a thread needs to load its fours and to put them in the tile.
    pub fn prepare(&self, lines: &mut Vec<String>, tile: &Tile) {
        let Self { name, locate, origin, extent, .. } = self;
        let (threads, loads) = (tile.threads(), self.loads(tile));
        if self.operand.along_k {
            let fours = tile.depth / 4;
            let turn = self.turn(tile);
            lines.push(format!("let {name}_k = thread % {fours}u * 4u;"));
            for j in 0..loads {
                let at = format!("thread / {fours}u + {}u", j * threads / fours);
                lines.push(format!("let {name}_at{j} = {at};"));
                lines.push(format!("let {name}_row{j} = {locate}(z, {origin} + {name}_at{j});"));
                let turned = match turn {
                    0 => format!("{name}_at{j}"),
                    _ => format!("({name}_at{j} ^ ({name}_k * {}u))", turn / 4),
                };
                let to = match tile.memory {
                    Memory::Cooperative { .. } => format!("{name}_at{j} * {}u + {name}_k", self.pitch(tile)),
                    _ => format!("{name}_k * {extent}u + {turned}"),
                };
                lines.push(format!("let {name}_to{j} = {to};"));
            }
        } else {
            let fours = extent / 4;
            lines.push(format!("let {name}_at = thread % {fours}u * 4u;"));
            for c in 0..4 / self.operand.width {
                lines.push(format!("let {name}_row{c} = {locate}(z, {origin} + {name}_at + {c}u);"));
            }
            for j in 0..loads {
                lines.push(format!("let {name}_k{j} = thread / {fours}u + {}u;", j * threads / fours));
                lines.push(format!("let {name}_to{j} = {name}_k{j} * {}u + {name}_at;", self.pitch(tile)));
            }
        }
        for j in 0..loads {
            lines.push(format!("var {name}_next{j} = vec4<{}>();", scalar(tile)));
        }
    }

    /// Loads the thread's fours at k into registers.
    pub fn load(&self, lines: &mut Vec<String>, tile: &Tile) {
        let name = self.name;
        lines.push("{".into());
        let singles = 4 / self.operand.width;
        for c in 0..if self.operand.along_k { singles } else { 0 } {
            lines.push(format!("let step{c} = {name}_step(z, k, {name}_k + {c}u);"));
        }
        for j in 0..self.loads(tile) {
            if !self.operand.along_k {
                lines.push(format!("let step{j} = {name}_step(z, k, {name}_k{j});"));
            }
            let fetch = |c: u32| match self.operand.along_k {
                true => format!("{name}_fetch({name}_row{j}, step{c})"),
                false => format!("{name}_fetch({name}_row{c}, step{j})"),
            };
            let value = match singles {
                1 => fetch(0),
                _ => format!("vec4<{}>({})", scalar(tile), (0..4).map(fetch).collect::<Vec<_>>().join(", ")),
            };
            lines.push(format!("{name}_next{j} = {value};"));
        }
        lines.push("}".into());
    }

    /// Puts the loaded fours in the tile.
    pub fn share(&self, lines: &mut Vec<String>, tile: &Tile) {
        let name = self.name;
        let transposes = self.operand.along_k && tile.memory == Memory::Workgroup;
        let distance = if transposes { self.extent } else { 1 };
        for j in 0..self.loads(tile) {
            for c in 0..4 {
                let at = format!("{name}_to{j} + {}u", c * distance);
                lines.push(format!("{name}_tile[{at}] = {name}_next{j}[{c}];"));
            }
        }
    }

    /// Where the thread's part of the tile begins, for each four of k.
    fn read_bases(&self, lines: &mut Vec<String>, tile: &Tile, first: &str) {
        let turn = self.turn(tile);
        for four in 0..if turn == 0 { 1 } else { tile.depth / 4 } {
            // Written as a multiple of 4 where it is one, so that compilers see the alignment and read four at once.
            let at = match four * turn {
                0 => first.to_owned(),
                turned if self.name == "a" && tile.thread_rows < 4 => format!("{first} ^ {turned}u"),
                turned => format!("({first} / 4u ^ {}u) * 4u", turned / 4),
            };
            lines.push(format!("let {}_from{four} = {at};", self.name));
        }
    }

    fn read_base(&self, tile: &Tile, k: u32) -> String {
        let four = if self.turn(tile) == 0 { 0 } else { k / 4 };
        format!("{}_from{four}", self.name)
    }

    /// Locates the rows (or columns) that a thread loads without workgroup memory: every fourth if four at once.
    fn locate_all(&self, lines: &mut Vec<String>, positions: &[String]) {
        let Self { name, locate, origin, operand, .. } = self;
        let step = if operand.along_k { 1 } else { operand.width as usize };
        for (i, at) in positions.iter().step_by(step).enumerate() {
            lines.push(format!("let {name}_row{i} = {locate}(z, {origin} + {at});"));
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
                let fetch = format!("{name}_fetch({name}_row{i}, {name}_step{kk})");
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
