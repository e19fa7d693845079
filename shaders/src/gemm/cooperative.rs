//! Writes the body of a cooperative tile: matrices of 8x8 or 16x16 that a subgroup multiplies.

use std::ops::Range;

use super::cooperative_columns as sums;
use super::side::{Side, over};
use super::{ColumnReduction, Tile, shared};
use crate::Source;

/// Turns of the loop over k up to which compilers are kept from writing it out whole.
const SHORT_LOOP: u32 = 12;

/// The memory of a tile, its matrix types and the number of its parts, and what `main` has to know of subgroups.
pub(super) fn skeleton(source: Source, size: u32, tile: &Tile) -> Source {
    let subgroups = [
        "@builtin(subgroup_id) subgroup: u32",
        "@builtin(num_subgroups) subgroups: u32",
        "@builtin(subgroup_invocation_id) lane: u32",
        "@builtin(subgroup_size) lanes: u32",
    ];
    source
        .include("gemm_cooperative")
        .add_parameters("main", &subgroups)
        .set_alias("MatrixA", &format!("coop_mat{size}x{size}<f16, A>"))
        .set_alias("MatrixB", &format!("coop_mat{size}x{size}<f16, B>"))
        .set_alias("MatrixC", &format!("coop_mat{size}x{size}<f32, C>"))
        .set_const("TILE_PARTS", tile.parts())
        .set_const("STAGES", tile.stages())
        .set_const("C_MATRICES", tile.stored_at_once())
        .set_const("MATRIX_SIZE", size)
        .set_alias("CTile", if c_lanes(size) == 4 { "vec4<f32>" } else { "f32" })
        .set_const("C_LANES", c_lanes(size))
}

/// The statements of `region body`. The outer loop has one turn if there are as many subgroups as parts: how large a
/// subgroup is only the device knows.
pub(super) fn body(tile: &Tile, size: u32, a: &Side, b: &Side, reduced: ColumnReduction) -> Vec<String> {
    let across = tile.columns / tile.thread_columns;
    let (rows, columns) = (tile.thread_rows / size, tile.thread_columns / size);
    let mut lines = Vec::new();
    a.prepare(&mut lines, tile);
    b.prepare(&mut lines, tile);
    lines.push("for (var turn = 0u; turn < TILE_PARTS; turn += subgroups) {".into());
    lines.push("let part = min(turn + subgroup, TILE_PARTS - 1u);".into());
    lines.push(format!("let m = part / {across}u * {}u;", tile.thread_rows));
    lines.push(format!("let n = part % {across}u * {}u;", tile.thread_columns));
    for (i, j) in grid(rows, columns) {
        lines.push(format!("var sum{i}_{j} = MatrixC();"));
    }
    // groups.z is 1, which compilers do not know: RADV writes a loop of nine turns out whole, loads everything before it multiplies, and spills.
    let end = format!("select(range.y, range.y * groups.z, range.y - range.x <= {SHORT_LOOP}u * TILE_K)");
    lines.push(format!("let range = vec2<u32>(range.x, {end});"));
    match tile.stages() {
        1 => one_stage(&mut lines, tile, size, a, b),
        _ => two_stages(&mut lines, tile, size, a, b),
    }
    lines.push("let stores = turn + subgroup < TILE_PARTS;".into());
    lines.push("let slot = subgroup * (C_MATRICES * MATRIX_SIZE * MATRIX_SIZE / C_LANES);".into());
    let together = tile.stored_at_once();
    let groups = columns / together;
    if reduced != ColumnReduction::None {
        sums::clear(&mut lines, columns, groups, reduced);
    }
    for (i, group) in grid(rows, groups) {
        store_matrices(&mut lines, size, i, group * together..(group + 1) * together, group, reduced);
    }
    if reduced != ColumnReduction::None {
        sums::finish(&mut lines, tile, size, groups, reduced);
    }
    lines.push("}".into());
    if reduced != ColumnReduction::None {
        sums::put(&mut lines, tile, reduced);
    }
    lines
}

/// The loop over k with one tile of the operands: the next step's elements wait in registers until all subgroups have multiplied.
fn one_stage(lines: &mut Vec<String>, tile: &Tile, size: u32, a: &Side, b: &Side) {
    shared::open_loop(lines, tile, a, b);
    multiply(lines, tile, size, [(a, ""), (b, "")]);
    lines.push("workgroupBarrier();".into());
    lines.push("}".into());
}

/// The loop over k with two tiles of the operands: while one is multiplied the other is filled, and there is a barrier a step.
fn two_stages(lines: &mut Vec<String>, tile: &Tile, size: u32, a: &Side, b: &Side) {
    let next = |lines: &mut Vec<String>| {
        lines.push("if (k < range.y) {".into());
        a.load(lines, tile);
        b.load(lines, tile);
        lines.push("}".into());
    };
    lines.push("var k = range.x;".into());
    next(lines);
    // A number, not a place: compilers then see that the place is a multiple of 16 bytes.
    lines.push("var stage = 0u;".into());
    a.share(lines, tile, "");
    b.share(lines, tile, "");
    lines.push("workgroupBarrier();".into());
    lines.push("while (k < range.y) {".into());
    lines.push("k += TILE_K;".into());
    next(lines);
    multiply(lines, tile, size, [(a, "stage * A_STAGE + "), (b, "stage * B_STAGE + ")]);
    lines.push("stage = 1u - stage;".into());
    lines.push("if (k < range.y) {".into());
    a.share(lines, tile, "stage * A_STAGE + ");
    b.share(lines, tile, "stage * B_STAGE + ");
    lines.push("}".into());
    lines.push("workgroupBarrier();".into());
    lines.push("}".into());
}

/// Multiplies the part of the subgroup in a tile of the operands, each behind its stage.
fn multiply(lines: &mut Vec<String>, tile: &Tile, size: u32, [a, b]: [(&Side, &str); 2]) {
    let (rows, columns) = (tile.thread_rows / size, tile.thread_columns / size);
    for k in (0..tile.depth).step_by(size as usize) {
        lines.push("{".into());
        for i in 0..rows {
            load_matrix(lines, tile, a, ["m", "A"], i, i * size, k);
        }
        for j in 0..columns {
            load_matrix(lines, tile, b, ["n", "B"], j, j * size, k);
        }
        for (i, j) in grid(rows, columns) {
            lines.push(format!("sum{i}_{j} = coopMultiplyAdd(a{i}, b{j}, sum{i}_{j});"));
        }
        lines.push("}".into());
    }
}

/// Elements in a word of the results on their way.
fn c_lanes(size: u32) -> u32 {
    // As for operands: Metal, which has the small matrices, stores them to scalars.
    if size == 16 { 4 } else { 1 }
}

fn grid(rows: u32, columns: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..rows).flat_map(move |i| (0..columns).map(move |j| (i, j)))
}

/// One matrix of an operand: row-major where a row of it lies along the memory.
fn load_matrix(
    lines: &mut Vec<String>,
    tile: &Tile,
    (side, stage): (&Side, &str),
    [first, role]: [&str; 2],
    number: u32,
    offset: u32,
    k: u32,
) {
    let name = side.name;
    let lanes = side.lanes(tile);
    let pitch = side.pitch(tile) / lanes;
    let along_k = side.operand.along_k;
    let at = match along_k {
        true => format!("({first} + {offset}u) * {pitch}u + {}u", k / lanes),
        false => format!("{}u + ({first} + {offset}u){}", k * pitch, over(lanes)),
    };
    let row_major = along_k == (name == "a");
    let load = if row_major { "coopLoadT" } else { "coopLoad" };
    lines.push(format!("let {name}_from{number} = {stage}{at};"));
    lines.push(format!("let {name}{number} = {load}<Matrix{role}>(&{name}_tile[{name}_from{number}], {pitch}u);"));
}

/// Matrices of sums go through workgroup memory, since an element's place in the registers is not known: those of some
/// neighbouring columns at once. Each subgroup has a place of its own there, so that none waits for another.
fn store_matrices(
    lines: &mut Vec<String>,
    size: u32,
    i: u32,
    columns: Range<u32>,
    group: u32,
    reduced: ColumnReduction,
) {
    let (fours, lanes) = (size / 4, c_lanes(size));
    let places = columns.clone().zip((0..).step_by((size * size / lanes) as usize));
    lines.push("if (stores) {".into());
    for (j, place) in places.clone() {
        lines.push(format!("let slot{j} = slot + {place}u;"));
        lines.push(format!("coopStoreT(sum{i}_{j}, &c_tile[slot{j}], {}u);", size / lanes));
    }
    lines.push("}".into());
    // All subgroups take part: Mesa's llvmpipe makes it a barrier of the workgroup.
    lines.push("subgroupBarrier();".into());
    lines.push("if (stores) {".into());
    lines.push(format!("for (var e = lane; e < {}u; e += lanes) {{", size * fours));
    lines.push(format!("let crow = c_row(z, m0 + m + {}u + e / {fours}u);", i * size));
    lines.push(format!("let column = n0 + n + e % {fours}u * 4u;"));
    if reduced != ColumnReduction::None {
        sums::see(lines, group, reduced);
    }
    for (j, place) in places {
        let four = match lanes {
            4 => format!("c_tile[slot + {place}u + e]"),
            _ => {
                let each = (0..4).map(|c| format!("c_tile[slot + {}u + e * 4u]", place + c));
                format!("vec4<f32>({})", each.collect::<Vec<_>>().join(", "))
            }
        };
        let stored = format!("store4(crow, column + {}u, {four});", j * size);
        if reduced == ColumnReduction::None {
            lines.push(stored);
        } else {
            lines.push(format!("let tails{j} = {stored}"));
            sums::add(lines, j, group, reduced);
        }
    }
    lines.push("}".into());
    lines.push("}".into());
    lines.push("subgroupBarrier();".into());
}
