//! The loop over k through workgroup memory, whose words are one, two or four neighbouring elements.

use super::Tile;
use super::side::Side;
use super::unroll::{multiply, segment};

/// The type of a word.
pub(super) fn word_type(lanes: u32) -> &'static str {
    match lanes {
        1 => "f32",
        2 => "vec2<f32>",
        _ => "vec4<f32>",
    }
}

/// The word of these elements.
pub(super) fn word(parts: &[String]) -> String {
    match parts {
        [one] => one.clone(),
        _ => format!("{}({})", word_type(parts.len() as u32), parts.join(", ")),
    }
}

/// Stores four elements to `tile` from word `{base}{first}u` on.
pub(super) fn put_four(lines: &mut Vec<String>, tile: &str, lanes: u32, base: &str, first: u32, four: &str) {
    for i in 0..4 / lanes {
        let part = match lanes {
            1 => format!("{four}[{i}]"),
            2 => format!("{four}.{}", ["xy", "zw"][i as usize]),
            _ => four.to_owned(),
        };
        lines.push(format!("{tile}[{base}{}u] = {part};", first + i));
    }
}

/// The four elements of `tile` from word `{base}{first}u` on.
pub(super) fn get_four(tile: &str, lanes: u32, base: &str, first: u32) -> String {
    let words: Vec<String> = (0..4 / lanes).map(|i| format!("{tile}[{base}{}u]", first + i)).collect();
    match &words[..] {
        [one] => one.clone(),
        _ => format!("vec4<f32>({})", words.join(", ")),
    }
}

pub(super) fn shared_loop(lines: &mut Vec<String>, tile: &Tile, a: &Side, b: &Side) {
    let (rows, columns) = (a.lanes(tile), b.lanes(tile));
    a.prepare(lines, tile);
    b.prepare(lines, tile);
    a.read_bases(lines, tile, "m");
    b.read_bases(lines, tile, "n");
    open_loop(lines, tile, a, b);
    for kk in 0..tile.depth {
        lines.push("{".into());
        let at = a.read_base(tile, kk);
        for i in (0..tile.thread_rows).step_by(rows as usize) {
            lines.push(format!("let a{} = a_tile[{at} + {}u];", i / rows, (kk * tile.rows + i) / rows));
        }
        let base = format!("{} + ", b.read_base(tile, kk));
        for q in 0..tile.thread_columns / 4 {
            let first = (kk * tile.columns + q * segment(tile)) / columns;
            lines.push(format!("let b{q} = {};", get_four("b_tile", columns, &base, first)));
        }
        let row = |i: u32| if rows == 1 { format!("a{i}") } else { format!("a{}[{}]", i / rows, i % rows) };
        multiply(lines, tile, row, |q| format!("b{q}"));
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

impl Side<'_> {
    /// The word where the thread's part of the tile begins, for each four of k.
    fn read_bases(&self, lines: &mut Vec<String>, tile: &Tile, first: &str) {
        let (turn, lanes) = (self.turn(tile), self.lanes(tile));
        for four in 0..if turn == 0 { 1 } else { tile.depth / 4 } {
            let at = match (four * turn, lanes) {
                (0, 1) => first.to_owned(),
                (0, _) => format!("{first} / {lanes}u"),
                (turned, 1) if self.name == "a" && tile.thread_rows < 4 => format!("{first} ^ {turned}u"),
                // Written as a multiple of 4 where it is one, so that compilers see the alignment and read four at once.
                (turned, 1) => format!("({first} / 4u ^ {}u) * 4u", turned / 4),
                (turned, _) => format!("({first} / 4u ^ {}u) * {}u", turned / 4, 4 / lanes),
            };
            lines.push(format!("let {}_from{four} = {at};", self.name));
        }
    }

    fn read_base(&self, tile: &Tile, k: u32) -> String {
        let four = if self.turn(tile) == 0 { 0 } else { k / 4 };
        format!("{}_from{four}", self.name)
    }
}
