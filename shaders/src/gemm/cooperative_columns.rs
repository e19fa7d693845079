//! Reductions down the columns of a cooperative tile: a matrix of results lies in workgroup memory as it is stored, where a
//! subgroup adds up its columns; the parts of the tile are put together at the end.

use super::columns::sides;
use super::{Columns, Tile};

/// The expression for an element of the results that the epilogue left in `t{r}`, up to its index.
pub(super) fn tail_place(size: u32, r: u32) -> String {
    match r {
        0 => "c_tile[".into(),
        _ => format!("tail_tile[{}u * TILE_PARTS + ", (r - 1) * size * size),
    }
}

/// Sets all sums to 0.
pub(super) fn clear(lines: &mut Vec<String>, tile: &Tile, reduced: Columns) {
    let count = reduced.values() * sides(tile) * tile.columns;
    lines.push(format!("for (var i = thread; i < {count}u; i += THREADS) {{"));
    lines.push("column_tile[i] = 0.0;".into());
    lines.push("}".into());
}

/// Adds the matrix of row `i` and column `j` of the subgroup's part.
pub(super) fn add_matrix(lines: &mut Vec<String>, tile: &Tile, [size, i, j]: [u32; 3], reduced: Columns) {
    let across = tile.columns / tile.thread_columns;
    lines.push("if (turn + subgroup < TILE_PARTS) {".into());
    lines.push(format!("for (var column = lane; column < {size}u; column += lanes) {{"));
    lines.push(format!("let to = part / {across}u * TILE_N + n + {}u + column;", j * size));
    if reduced == Columns::Moments {
        add_moments(lines, tile, size, i);
    } else {
        for r in 0..reduced.tails() {
            let place = tail_place(size, r);
            lines.push(format!("var total{r} = 0.0;"));
            lines.push(format!("for (var row = 0u; row < {size}u; row++) {{"));
            lines.push(format!("total{r} += {place}slot + row * {size}u + column];"));
            lines.push("}".into());
            lines.push(format!("column_tile[to + {}u] += total{r};", r * sides(tile) * tile.columns));
        }
    }
    lines.push("}".into());
    lines.push("}".into());
    lines.push("workgroupBarrier();".into());
}

/// Mean and squares of a matrix's column, joined with those of the matrices above it (Chan, Golub, LeVeque 1979).
fn add_moments(lines: &mut Vec<String>, tile: &Tile, size: u32, i: u32) {
    let squares_at = sides(tile) * tile.columns;
    let text = format!(
        "let rows = min({size}u, GEMM_M - min(GEMM_M, m0 + m + {}u));
if (rows > 0u) {{
var total = 0.0;
for (var row = 0u; row < rows; row++) {{
total += c_tile[slot + row * {size}u + column];
}}
let mean = total / f32(rows);
var squares = 0.0;
for (var row = 0u; row < rows; row++) {{
let far = c_tile[slot + row * {size}u + column] - mean;
squares += far * far;
}}
let above = {}.0;
let share = f32(rows) / (above + f32(rows));
let apart = mean - column_tile[to];
column_tile[to] += apart * share;
column_tile[to + {squares_at}u] += squares + apart * apart * above * share;
}}",
        i * size,
        i * size,
    );
    lines.extend(text.lines().map(str::to_string));
}

/// Puts the parts of the tile together and writes what they give.
pub(super) fn put(lines: &mut Vec<String>, tile: &Tile, reduced: Columns) {
    let parts = sides(tile);
    lines.push("workgroupBarrier();".into());
    lines.push("for (var column = thread; column < TILE_N; column += THREADS) {".into());
    if reduced == Columns::Moments {
        put_moments(lines, tile, parts);
    } else {
        for r in 0..reduced.tails() {
            let first = r * parts * tile.columns;
            let terms: Vec<String> =
                (0..parts).map(|p| format!("column_tile[column + {}u]", first + p * tile.columns)).collect();
            lines.push(format!("put_column(z, m0 / TILE_M, n0 + column, {r}u, {});", terms.join(" + ")));
        }
    }
    lines.push("}".into());
}

fn put_moments(lines: &mut Vec<String>, tile: &Tile, parts: u32) {
    lines.push("var count = 0.0;".into());
    lines.push("var mean = 0.0;".into());
    lines.push("var squares = 0.0;".into());
    for p in 0..parts {
        let (at, squares_at) = (p * tile.columns, (parts + p) * tile.columns);
        let text = format!(
            "{{
let rows = f32(min({}u, GEMM_M - min(GEMM_M, m0 + {}u)));
let share = rows / max(count + rows, 1.0);
let apart = column_tile[column + {at}u] - mean;
mean += apart * share;
squares += column_tile[column + {squares_at}u] + apart * apart * count * share;
count += rows;
}}",
            tile.thread_rows,
            p * tile.thread_rows,
        );
        lines.extend(text.lines().map(str::to_string));
    }
    lines.push("put_column(z, m0 / TILE_M, n0 + column, 0u, mean);".into());
    lines.push("put_column(z, m0 / TILE_M, n0 + column, 1u, squares);".into());
}
