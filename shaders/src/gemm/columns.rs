//! Reductions of a product's results down its columns, made by the workgroup that has them: each tile gives one part,
//! `[value, part, column]` in the buffer `column_parts`, and another kernel merges the parts.

use std::fmt::Write;

use super::cooperative_tile::PORTABLE_BYTES;
use super::unroll::segment;
use super::{Memory, Tile, TiledProduct};
use crate::{BufferAccess, Hook, ShaderError, Source, StorageBuffer};

/// What a kernel also gives of its results, for each column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ColumnReduction {
    /// Nothing.
    #[default]
    None,
    /// As many sums, of what is put in `tails.t0`, `tails.t1`, ...
    Sums(u32),
    /// Mean and sum of squared deviations of `tails.t0`.
    Moments,
}

impl ColumnReduction {
    /// Values that `put` leaves in `tails`.
    pub(crate) fn tails(self) -> u32 {
        match self {
            ColumnReduction::None => 0,
            ColumnReduction::Sums(n) => n,
            ColumnReduction::Moments => 1,
        }
    }

    /// Values of each column.
    pub(super) fn values(self) -> u32 {
        if self == ColumnReduction::Moments { 2 } else { self.tails() }
    }
}

/// Where the threads of a workgroup put what they add up: the tile of `b`, which is done with, if it is large enough.
fn shared(tile: &Tile) -> &'static str {
    if sides(tile) <= tile.depth { "b_tile" } else { "column_tile" }
}

impl Tile {
    /// Can this tile reduce columns of its results, on any device?
    pub fn reduces(&self, columns: ColumnReduction) -> bool {
        if columns == ColumnReduction::None {
            return true;
        }
        let more = match self.memory {
            Memory::Direct => return false,
            Memory::Workgroup if shared(self) == "b_tile" => 0,
            Memory::Workgroup => sides(self) * self.columns,
            // Counted with the tile already.
            Memory::Cooperative { .. } => return Tile::has_room_for(columns.values()),
        };
        self.workgroup_bytes() + 4 * more <= PORTABLE_BYTES
    }
}

/// Threads of a workgroup (or parts of a cooperative tile) that have results of one column.
pub(super) fn sides(tile: &Tile) -> u32 {
    tile.rows / tile.thread_rows
}

/// Puts the declarations and functions that reduce columns into the skeleton.
pub(super) fn declare(source: Source, product: &TiledProduct, tile: &Tile) -> Result<Source, ShaderError> {
    if !tile.reduces(product.columns) {
        let reason = "columns are reduced in workgroup memory, which has no room for them";
        return Err(ShaderError::Tile { tile: tile.to_string(), reason });
    }
    let tails = product.columns.tails();
    let names = || (0..tails).map(|r| format!("t{r}"));
    let fields: String = names().map(|t| format!("{t}: vec4<f32>, ")).collect();
    let mut code = format!("struct Tails {{ {fields}}}\nvar<private> tails: Tails;\n");
    if matches!(tile.memory, Memory::Cooperative { .. }) {
        let sums = product.columns.values() * sides(tile) * tile.columns;
        let _ = writeln!(code, "var<workgroup> column_tile: array<f32, {sums}>;");
    } else if shared(tile) == "column_tile" {
        let _ = writeln!(code, "var<workgroup> column_tile: array<vec4<f32>, {}>;", sides(tile) * tile.columns / 4);
    }
    let (phases, parts) = (product.phases, product.m.div_ceil(tile.rows) * product.phases);
    let columns = product.z / phases * product.n;
    let _ = write!(
        code,
        "
fn put_column(z: u32, tile: u32, column: u32, result: u32, value: f32) {{
    if (column < GEMM_N) {{
        let part = z % {phases}u * TILES_M + tile;
        column_parts[(result * {parts}u + part) * {columns}u + z / {phases}u * GEMM_N + column] = value;
    }}
}}

fn store4(row: CRow, n: u32, value: vec4<f32>) -> Tails {{
"
    );
    if product.c.width == 4 {
        code += "    if (row.valid & (n < GEMM_N)) {
        put4(value, row.base + n);
        return tails;
    }
    return Tails();
}";
    } else {
        let lanes: String = names().map(|t| format!("            all.{t}[i] = tails.{t}.x;\n")).collect();
        let _ = write!(
            code,
            "    var all = Tails();
    for (var i = 0u; i < 4u; i++) {{
        if (row.valid & (n + i < GEMM_N)) {{
            put(value[i], row.base + n + i);
{lanes}        }}
    }}
    return all;
}}"
        );
    }
    let mut parts = StorageBuffer::new("column_parts", BufferAccess::ReadWrite, "f32");
    parts.scratch = true;
    let mut source = source.replace_fn("store4", &code);
    source.push_buffer(parts);
    let (hook, value) = match product.c.width {
        4 => (Hook::Put4, "value"),
        _ => (Hook::Put, "vec4<f32>(value, 0.0, 0.0, 0.0)"),
    };
    let tails: String = names().map(|t| format!("    tails.{t} = {value};\n")).collect();
    Ok(source.append(hook.name(), &tails))
}

/// Stores the results of a thread and reduces them down the tile's columns, in words of four.
pub(super) fn finish(lines: &mut Vec<String>, tile: &Tile, columns: ColumnReduction) {
    let (fours, segment) = (tile.thread_columns / 4, segment(tile));
    let moments = columns == ColumnReduction::Moments;
    for r in 0..columns.tails() {
        lines.extend((0..fours).map(|q| format!("var down{r}_{q} = vec4<f32>();")));
    }
    for i in 0..tile.thread_rows {
        lines.push(format!("let row{i} = c_row(z, m0 + m + {i}u);"));
        for q in 0..fours {
            lines.push(format!("let tails{i}_{q} = store4(row{i}, n0 + n + {}u, sum{i}_{q});", q * segment));
            lines.extend((0..columns.tails()).map(|r| format!("down{r}_{q} += tails{i}_{q}.t{r};")));
        }
    }
    let shared = shared(tile);
    lines.push(format!("let side = (thread / {}u * TILE_N + n) / 4u;", tile.columns / tile.thread_columns));
    for r in 0..columns.tails() {
        add_up(lines, tile, r);
        if moments {
            lines.push("let mean = total / f32(min(TILE_M, GEMM_M - m0));".into());
            lines.push(format!("{shared}[column] = mean;"));
            put(lines, 0, "mean");
        } else {
            put(lines, r, "total");
        }
        lines.push("}".into());
        lines.push("workgroupBarrier();".into());
    }
    if moments {
        for q in 0..fours {
            lines.push(format!("let mean{q} = {shared}[n / 4u + {}u];", q * segment / 4));
            lines.push(format!("down0_{q} = vec4<f32>();"));
            for i in 0..tile.thread_rows {
                lines.push(format!("let far{i}_{q} = tails{i}_{q}.t0 - mean{q};"));
                lines.push(format!(
                    "down0_{q} += select(vec4<f32>(), far{i}_{q} * far{i}_{q}, vec4<bool>(row{i}.valid));"
                ));
            }
        }
        lines.push("workgroupBarrier();".into());
        add_up(lines, tile, 0);
        put(lines, 1, "total");
        lines.push("}".into());
    }
}

/// Opens a loop whose body has the `total` of each word `column` of the tile.
fn add_up(lines: &mut Vec<String>, tile: &Tile, r: u32) {
    let shared = shared(tile);
    for q in 0..tile.thread_columns / 4 {
        lines.push(format!("{shared}[side + {}u] = down{r}_{q};", q * segment(tile) / 4));
    }
    let (words, all) = (tile.columns / 4, sides(tile) * tile.columns / 4);
    lines.push("workgroupBarrier();".into());
    lines.push(format!("for (var column = thread; column < {words}u; column += THREADS) {{"));
    lines.push("var total = vec4<f32>();".into());
    lines.push(format!("for (var at = 0u; at < {all}u; at += {words}u) {{"));
    lines.push(format!("total += {shared}[at + column];"));
    lines.push("}".into());
}

/// Hands on the elements of a word `value` of the tile's columns.
fn put(lines: &mut Vec<String>, result: u32, value: &str) {
    for lane in 0..4 {
        lines.push(format!("put_column(z, m0 / TILE_M, n0 + column * 4u + {lane}u, {result}u, {value}[{lane}]);"));
    }
}
