//! Reductions down the columns of a cooperative tile. A lane sees the same four columns of every matrix, so it keeps their sums or
//! moments in registers; the lanes of a subgroup are put together by shuffles, the parts of the tile through workgroup memory.

use super::columns::sides;
use super::{ColumnReduction, Tile};

/// What a lane keeps of each matrix of columns. Matrices that are stored together (a group) have one count.
pub(super) fn clear(lines: &mut Vec<String>, columns: u32, groups: u32, reduced: ColumnReduction) {
    for j in 0..columns {
        lines.extend((0..reduced.tails()).map(|r| format!("var down{r}_{j} = vec4<f32>();")));
        if reduced == ColumnReduction::Moments {
            lines.push(format!("var squares_{j} = vec4<f32>();"));
        }
    }
    if reduced == ColumnReduction::Moments {
        lines.extend((0..groups).map(|g| format!("var seen_{g} = 0.0;")));
    }
}

/// A row more is seen of the matrices of a group: `crow` tells whether it is one.
pub(super) fn see(lines: &mut Vec<String>, group: u32, reduced: ColumnReduction) {
    if reduced == ColumnReduction::Moments {
        lines.push(format!("seen_{group} += select(0.0, 1.0, crow.valid);"));
    }
}

/// Adds the four that `put4` left in `tails{j}` (Welford 1962 for moments).
pub(super) fn add(lines: &mut Vec<String>, j: u32, group: u32, reduced: ColumnReduction) {
    if reduced != ColumnReduction::Moments {
        lines.extend((0..reduced.tails()).map(|r| format!("down{r}_{j} += tails{j}.t{r};")));
        return;
    }
    lines.push("if (crow.valid) {".into());
    lines.push(format!("let apart = tails{j}.t0 - down0_{j};"));
    lines.push(format!("down0_{j} += apart / seen_{group};"));
    lines.push(format!("squares_{j} += apart * (tails{j}.t0 - down0_{j});"));
    lines.push("}".into());
}

/// Puts the lanes of a subgroup together; the first ones write what the part of the tile gives. `fours` lanes have a row.
pub(super) fn finish(lines: &mut Vec<String>, tile: &Tile, size: u32, groups: u32, reduced: ColumnReduction) {
    let columns = tile.thread_columns / size;
    let fours = size / 4;
    let group = |j: u32| j / (columns / groups);
    lines.push(format!("for (var mask = {fours}u; mask < lanes; mask *= 2u) {{"));
    if reduced == ColumnReduction::Moments {
        // Chan, Golub, LeVeque 1979.
        for g in 0..groups {
            lines.push(format!("let others_{g} = subgroupShuffleXor(seen_{g}, mask);"));
            lines.push(format!("let share_{g} = others_{g} / max(seen_{g} + others_{g}, 1.0);"));
            lines.push(format!("let weight_{g} = seen_{g} * share_{g};"));
            lines.push(format!("seen_{g} += others_{g};"));
        }
        for j in 0..columns {
            let g = group(j);
            lines.push(format!("let apart_{j} = subgroupShuffleXor(down0_{j}, mask) - down0_{j};"));
            lines.push(format!(
                "squares_{j} += subgroupShuffleXor(squares_{j}, mask) + apart_{j} * apart_{j} * weight_{g};"
            ));
            lines.push(format!("down0_{j} += apart_{j} * share_{g};"));
        }
    } else {
        for j in 0..columns {
            lines
                .extend((0..reduced.tails()).map(|r| format!("down{r}_{j} += subgroupShuffleXor(down{r}_{j}, mask);")));
        }
    }
    lines.push("}".into());
    let across = tile.columns / tile.thread_columns;
    lines.push(format!("if (stores && lane < {fours}u) {{"));
    lines.push(format!("let to = part / {across}u * TILE_N + n + lane * 4u;"));
    for j in 0..columns {
        for value in 0..reduced.values() {
            let from = if reduced == ColumnReduction::Moments && value == 1 {
                format!("squares_{j}")
            } else {
                format!("down{value}_{j}")
            };
            let first = value * sides(tile) * tile.columns + j * size;
            lines.extend((0..4).map(|c| format!("column_tile[to + {}u] = {from}[{c}];", first + c)));
        }
    }
    lines.push("}".into());
}

/// Puts the parts of the tile together and writes what they give.
pub(super) fn put(lines: &mut Vec<String>, tile: &Tile, reduced: ColumnReduction) {
    let parts = sides(tile);
    lines.push("workgroupBarrier();".into());
    lines.push("for (var column = thread; column < TILE_N; column += THREADS) {".into());
    if reduced == ColumnReduction::Moments {
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
