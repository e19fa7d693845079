//! Writes the body of the cooperative skeleton for one tile: matrices of 8x8 or 16x16 that a subgroup multiplies.

use super::cooperative_columns as columns;
use super::shared::open_loop;
use super::side::Side;
use super::{Columns, Tile};
use crate::Source;

/// The matrix types and the number of parts of this tile.
pub(super) fn set_types(source: Source, size: u32, tile: &Tile) -> Source {
    source
        .set_alias("MatrixA", &format!("coop_mat{size}x{size}<f16, A>"))
        .set_alias("MatrixB", &format!("coop_mat{size}x{size}<f16, B>"))
        .set_alias("MatrixC", &format!("coop_mat{size}x{size}<f32, C>"))
        .set_const("TILE_PARTS", tile.parts())
        .set_const("MATRIX_SIZE", size)
}

/// The statements of `region body`. The outer loop has one turn if there are as many subgroups as parts: how large a
/// subgroup is only the device knows.
pub(super) fn body(tile: &Tile, size: u32, a: &Side, b: &Side, reduced: Columns) -> Vec<String> {
    let across = tile.columns / tile.thread_columns;
    let (rows, columns) = (tile.thread_rows / size, tile.thread_columns / size);
    let mut lines = Vec::new();
    a.prepare(&mut lines, tile);
    b.prepare(&mut lines, tile);
    if reduced != Columns::None {
        columns::clear(&mut lines, tile, reduced);
    }
    lines.push("for (var turn = 0u; turn < TILE_PARTS; turn += subgroups) {".into());
    lines.push("let part = min(turn + subgroup, TILE_PARTS - 1u);".into());
    lines.push(format!("let m = part / {across}u * {}u;", tile.thread_rows));
    lines.push(format!("let n = part % {across}u * {}u;", tile.thread_columns));
    for (i, j) in grid(rows, columns) {
        lines.push(format!("var sum{i}_{j} = MatrixC();"));
    }
    open_loop(&mut lines, tile, a, b);
    for k in (0..tile.depth).step_by(size as usize) {
        lines.push("{".into());
        for i in 0..rows {
            load_matrix(&mut lines, tile, a, ["m", "A"], i, i * size, k);
        }
        for j in 0..columns {
            load_matrix(&mut lines, tile, b, ["n", "B"], j, j * size, k);
        }
        for (i, j) in grid(rows, columns) {
            lines.push(format!("sum{i}_{j} = coopMultiplyAdd(a{i}, b{j}, sum{i}_{j});"));
        }
        lines.push("}".into());
    }
    lines.push("workgroupBarrier();".into());
    lines.push("}".into());
    lines.push("let slot = min(subgroup, TILE_PARTS - 1u) * (MATRIX_SIZE * MATRIX_SIZE);".into());
    for (i, j) in grid(rows, columns) {
        store_matrix(&mut lines, size, i, j, reduced);
        if reduced != Columns::None {
            columns::add_matrix(&mut lines, tile, [size, i, j], reduced);
        }
    }
    lines.push("}".into());
    if reduced != Columns::None {
        columns::put(&mut lines, tile, reduced);
    }
    lines
}

fn grid(rows: u32, columns: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..rows).flat_map(move |i| (0..columns).map(move |j| (i, j)))
}

/// One matrix of an operand: row-major where a row of it lies along the memory.
fn load_matrix(
    lines: &mut Vec<String>,
    tile: &Tile,
    side: &Side,
    [first, role]: [&str; 2],
    number: u32,
    offset: u32,
    k: u32,
) {
    let name = side.name;
    let pitch = side.pitch(tile);
    let along_k = side.operand.along_k;
    let at = match along_k {
        true => format!("({first} + {offset}u) * {pitch}u + {k}u"),
        false => format!("{}u + {first} + {offset}u", k * pitch),
    };
    let row_major = along_k == (name == "a");
    let load = if row_major { "coopLoadT" } else { "coopLoad" };
    lines.push(format!("let {name}_from{number} = {at};"));
    lines.push(format!("let {name}{number} = {load}<Matrix{role}>(&{name}_tile[{name}_from{number}], {pitch}u);"));
}

/// One matrix of sums goes through workgroup memory, since an element's place in the registers is not known.
fn store_matrix(lines: &mut Vec<String>, size: u32, i: u32, j: u32, reduced: Columns) {
    lines.push("if (turn + subgroup < TILE_PARTS) {".into());
    lines.push(format!("coopStoreT(sum{i}_{j}, &c_tile[slot], {size}u);"));
    lines.push("}".into());
    lines.push("workgroupBarrier();".into());
    lines.push("if (turn + subgroup < TILE_PARTS) {".into());
    lines.push(format!("for (var e = lane; e < {}u; e += lanes) {{", size * size / 4));
    lines.push(format!("let row = e / {}u;", size / 4));
    lines.push(format!("let column = e % {}u * 4u;", size / 4));
    lines.push(format!("let at = slot + row * {size}u + column;"));
    lines.push("let four = vec4<f32>(c_tile[at], c_tile[at + 1u], c_tile[at + 2u], c_tile[at + 3u]);".into());
    let stored = format!("store4(c_row(z, m0 + m + {}u + row), n0 + n + {}u + column, four);", i * size, j * size);
    if reduced == Columns::None {
        lines.push(stored);
    } else {
        lines.push(format!("let tails_here = {stored}"));
        for r in 0..reduced.tails() {
            let tile = columns::tail_place(size, r);
            lines.extend((0..4).map(|c| format!("{tile}at + {c}u] = tails_here.t{r}[{c}];")));
        }
    }
    lines.push("}".into());
    lines.push("}".into());
    lines.push("workgroupBarrier();".into());
}
