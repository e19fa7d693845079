//! What the kernel that merges column reductions does with the parts of each result: read at once, joined by a thread, then by all.

use std::fmt::Write;

use chiaro_graph::plan::ColumnKind;

use super::columns::{AT_ONCE, ColumnParts, THREADS};

/// Results that are merged together: neighbouring sums, or moments.
pub(super) struct Group {
    kind: ColumnKind,
    /// The number of the first value, and how many there are.
    first: usize,
    values: usize,
}

pub(super) fn groups(kinds: &[ColumnKind]) -> Vec<Group> {
    let mut groups: Vec<Group> = vec![];
    for &kind in kinds {
        let first = groups.last().map_or(0, |group| group.first + group.values);
        match groups.last_mut() {
            Some(group) if kind == ColumnKind::Sum && group.kind == kind && group.values < 4 => group.values += 1,
            _ => groups.push(Group { kind, first, values: kind.values() }),
        }
    }
    groups
}

impl Group {
    /// What a thread has: rows, mean and squared distances from it, or sums.
    fn ty(&self) -> String {
        match (self.kind, self.values) {
            (ColumnKind::Moments, _) => "vec3<f32>".into(),
            (ColumnKind::Sum, 1) => "f32".into(),
            (ColumnKind::Sum, values) => format!("vec{values}<f32>"),
        }
    }

    /// Functions that join two of it, and those of all threads of a column in a fixed order: the first threads have the result.
    pub(super) fn joining(&self, side: usize) -> String {
        let (ty, n) = (self.ty(), self.first);
        let join = match self.kind {
            ColumnKind::Sum => "    return a + b;\n",
            ColumnKind::Moments => MERGED_MOMENTS,
        };
        let mut text = format!(
            "var<workgroup> shared{n}: array<{ty}, {THREADS}>;
fn join{n}(a: {ty}, b: {ty}) -> {ty} {{\n{join}}}
fn join_threads{n}(thread: u32, value: {ty}) -> {ty} {{
    var joined = value;
    shared{n}[thread] = joined;\n"
        );
        let mut active = THREADS;
        while active > side {
            let fours = active / 4 >= side;
            let next = active / if fours { 4 } else { 2 };
            let of = |i: usize| format!("shared{n}[thread + {}u]", i * next);
            let rest = if fours {
                format!("join{n}(joined, {}), join{n}({}, {})", of(1), of(2), of(3))
            } else {
                format!("joined, {}", of(1))
            };
            let _ = write!(
                text,
                "    workgroupBarrier();
    if (thread < {next}u) {{
        joined = join{n}({rest});
        shared{n}[thread] = joined;
    }}\n"
            );
            active = next;
        }
        text + "    return joined;\n}\n"
    }

    /// Defines the group's values, from what the thread reads and what the others have.
    pub(super) fn merge(&self, parts: &ColumnParts, count: usize) -> String {
        let Group { first, values, .. } = *self;
        let (ty, all, lanes) = (self.ty(), parts.count(), THREADS / parts.side());
        let at_once = AT_ONCE.min(all.div_ceil(lanes));
        let mut text = format!(
            "    var own{first} = {ty}();
    for (var part = thread / {}u; part < {all}u; part += {}u) {{\n",
            parts.side(),
            at_once * lanes
        );
        for i in 0..at_once {
            let _ = writeln!(text, "        let part{i} = min(part + {}u, {}u);", i * lanes, all - 1);
            let _ = writeln!(text, "        let there{i} = part + {}u < {all}u;", i * lanes);
            for v in first..first + values {
                let _ = writeln!(text, "        let read{v}_{i} = parts[({}u + part{i}) * {count}u + at];", v * all);
                let _ = writeln!(text, "        let of{v}_{i} = select(0.0, read{v}_{i}, there{i});");
            }
        }
        let over = |term: &dyn Fn(usize) -> String| (0..at_once).map(term).collect::<Vec<_>>().join(" + ");
        match self.kind {
            ColumnKind::Sum => {
                let sums: Vec<String> = (first..first + values).map(|v| over(&|i| format!("of{v}_{i}"))).collect();
                let _ = writeln!(text, "        own{first} += {ty}({});\n    }}", sums.join(", "));
            }
            ColumnKind::Moments => {
                let (tile, tiles, rows) = (parts.tile, parts.tiles(), parts.rows);
                for i in 0..at_once {
                    let all = format!("min({tile}u, {rows}u - part{i} % {tiles}u * {tile}u)");
                    let _ = writeln!(text, "        let rows{i} = select(0.0, f32({all}), there{i});");
                }
                let second = first + 1;
                let _ = writeln!(text, "        let rows = {};", over(&|i| format!("rows{i}")));
                let mean = over(&|i| format!("of{first}_{i} * rows{i}"));
                let _ = writeln!(text, "        let mean = ({mean}) / rows;");
                let far = |i| format!("(of{first}_{i} - mean)");
                let squares = over(&|i| format!("of{second}_{i} + {0} * {0} * rows{i}", far(i)));
                let _ = writeln!(
                    text,
                    "        own{first} = join{first}(own{first}, vec3<f32>(rows, mean, {squares}));\n    }}"
                );
            }
        }
        let _ = writeln!(text, "    let joined{first} = join_threads{first}(thread, own{first});");
        text + &self.define(parts.rows * parts.phases)
    }

    /// Names the values, of `rows` rows.
    fn define(&self, rows: usize) -> String {
        let n = self.first;
        match self.kind {
            ColumnKind::Sum if self.values == 1 => format!("    let value{n} = joined{n};\n"),
            ColumnKind::Sum => {
                let each = |i| format!("    let value{} = joined{n}[{i}];\n", n + i);
                (0..self.values).map(each).collect()
            }
            ColumnKind::Moments => {
                format!("    let value{n} = joined{n}.y;\n    let value{} = joined{n}.z / {rows}.0;\n", n + 1)
            }
        }
    }
}

/// Rows, mean and squares of two sets as one (Chan, Golub and LeVeque 1983). A set may have no rows.
const MERGED_MOMENTS: &str = "    let rows = max(a.x + b.x, 1.0);
    let far = b.y - a.y;
    let mean = (a.x * a.y + b.x * b.y) / rows;
    return vec3<f32>(a.x + b.x, mean, a.z + b.z + far * far * (a.x * b.x / rows));
";
