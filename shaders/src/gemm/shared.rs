//! The loop over k through workgroup memory, whose words are one, two or four neighbouring elements.

use super::Tile;
use super::side::Side;
use super::unroll::{multiply, multiply_row, segment};

/// The type of a word of so many elements.
pub(super) fn word_type(lanes: u32, element: &str) -> String {
    if lanes == 1 { element.to_owned() } else { format!("vec{lanes}<{element}>") }
}

pub(super) fn shared_loop(lines: &mut Vec<String>, tile: &Tile, a: &Side, b: &Side) {
    a.prepare(lines, tile);
    b.prepare(lines, tile);
    a.read_bases(lines, tile, "m");
    b.read_bases(lines, tile, "n");
    open_loop(lines, tile, a, b);
    for four in 0..tile.depth / 4 {
        lines.push("{".into());
        if b.words_along_k(tile) {
            b.read_along_k(lines, tile, four);
        }
        if a.words_along_k(tile) {
            multiply_rows(lines, tile, a, b, four);
        } else {
            multiply_terms(lines, tile, a, b, four);
        }
        lines.push("}".into());
    }
    lines.push("workgroupBarrier();".into());
    lines.push("}".into());
}

/// A row at a time: its word of four terms is all that is held of it.
fn multiply_rows(lines: &mut Vec<String>, tile: &Tile, a: &Side, b: &Side, four: u32) {
    for kk in 0..if b.words_along_k(tile) { 0 } else { 4 } {
        b.read_across(lines, tile, 4 * four + kk);
    }
    for i in 0..tile.thread_rows {
        lines.push(format!("let a{i} = {};", a.read_word(tile, four, i)));
        for kk in 0..4 {
            multiply_row(lines, tile, i, &format!("a{i}[{kk}]"), |q| format!("b{q}_{kk}"));
        }
    }
}

/// A term at a time: words of neighbouring rows.
fn multiply_terms(lines: &mut Vec<String>, tile: &Tile, a: &Side, b: &Side, four: u32) {
    let lanes = a.lanes(tile);
    for kk in 0..4 {
        if !b.words_along_k(tile) {
            b.read_across(lines, tile, 4 * four + kk);
        }
        for word in 0..tile.thread_rows / lanes {
            let first = (4 * four + kk) * tile.rows / lanes + word;
            lines.push(format!("let a{word}_{kk} = a_tile[a_from0 + {first}u];"));
        }
        let row = |i: u32| match lanes {
            1 => format!("a{i}_{kk}"),
            _ => format!("a{}_{kk}[{}]", i / lanes, i % lanes),
        };
        multiply(lines, tile, row, |q| format!("b{q}_{kk}"));
    }
}

/// The head of the loop over k: this step's elements go to workgroup memory, the next step's are loaded meanwhile.
pub(super) fn open_loop(lines: &mut Vec<String>, tile: &Tile, a: &Side, b: &Side) {
    lines.push("var k = range.x;".into());
    lines.push("if (k < range.y) {".into());
    a.load(lines, tile);
    b.load(lines, tile);
    lines.push("}".into());
    lines.push("while (k < range.y) {".into());
    a.share(lines, tile, "");
    b.share(lines, tile, "");
    lines.push("workgroupBarrier();".into());
    lines.push("k += TILE_K;".into());
    lines.push("if (k < range.y) {".into());
    a.load(lines, tile);
    b.load(lines, tile);
    lines.push("}".into());
}

impl Side<'_> {
    /// The word where the thread's part of the tile begins; along k, for each four of it.
    fn read_bases(&self, lines: &mut Vec<String>, tile: &Tile, first: &str) {
        let (name, lanes) = (self.name, self.lanes(tile));
        if !self.words_along_k(tile) {
            let over = if lanes == 1 { String::new() } else { format!(" / {lanes}u") };
            lines.push(format!("let {name}_from0 = {first}{over};"));
            return;
        }
        let thread = if name == "a" { format!("{first} / {}u", tile.thread_rows) } else { format!("{first} / 4u") };
        lines.push(format!("let {name}_from0 = {thread};"));
        for four in 1..if self.turned(tile) { tile.depth / 4 } else { 1 } {
            lines.push(format!("let {name}_from{four} = {name}_from0 ^ {four}u;"));
        }
    }

    /// The word of four terms of a thread's row (or column) `i`.
    fn read_word(&self, tile: &Tile, four: u32, i: u32) -> String {
        let base = if self.turned(tile) { four } else { 0 };
        format!("{0}_tile[{0}_from{base} + {1}u]", self.name, four * self.extent + i * self.across(tile))
    }

    /// Four terms of the thread's columns from words along k: `bQ_K` has those of four columns.
    fn read_along_k(&self, lines: &mut Vec<String>, tile: &Tile, four: u32) {
        for j in 0..tile.thread_columns {
            lines.push(format!("let b{j} = {};", self.read_word(tile, four, j)));
        }
        for kk in 0..4 {
            for q in 0..tile.thread_columns / 4 {
                let columns: Vec<String> = (4 * q..4 * q + 4).map(|j| format!("b{j}[{kk}]")).collect();
                lines.push(format!("let b{q}_{kk} = vec4<f32>({});", columns.join(", ")));
            }
        }
    }

    /// One term of the thread's columns from words across k.
    fn read_across(&self, lines: &mut Vec<String>, tile: &Tile, k: u32) {
        for q in 0..tile.thread_columns / 4 {
            let first = (k * tile.columns + q * segment(tile)) / 4;
            lines.push(format!("let b{q}_{} = b_tile[b_from0 + {first}u];", k % 4));
        }
    }
}
