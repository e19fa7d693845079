//! One operand as the body of a tile sees it: which elements a thread loads, and where it puts them in workgroup memory.

use super::unroll::segment;
use super::{Memory, Tile, TileOperand};

/// One operand as the body sees it: the names it uses, the extent of its tile, and how it is loaded.
pub(super) struct Side<'a> {
    /// `a` or `b`.
    pub name: &'static str,
    /// `a_row` or `b_column`.
    pub locate: &'static str,
    /// Where the workgroup's tile begins: `m0` or `n0`.
    pub origin: &'static str,
    /// Rows or columns of the tile.
    pub extent: u32,
    pub operand: &'a TileOperand,
}

impl Side<'_> {
    /// Elements that a thread loads and stores side by side: as many as a load has, or four of one each.
    fn run(&self) -> u32 {
        self.operand.width.max(4)
    }

    /// The runs of the tile that one thread loads.
    fn loads(&self, tile: &Tile) -> u32 {
        self.extent * tile.depth / self.run() / tile.threads()
    }

    /// The names of a run's fours.
    fn fours(&self, j: u32) -> impl Iterator<Item = (u32, String)> {
        let name = self.name;
        let all = self.run() / 4;
        (0..all).map(move |half| (half, format!("{name}_next{}", j * all + half)))
    }

    /// Whether a word of workgroup memory is four terms of one row (or column), stored as it was loaded.
    pub fn words_along_k(&self, tile: &Tile) -> bool {
        self.operand.along_k && tile.memory == Memory::Workgroup
    }

    /// Elements in a word of workgroup memory: 4, 2 or 1. Neighbours along m (or n), of which a thread must have whole words to
    /// read, unless they lie along k.
    pub fn lanes(&self, tile: &Tile) -> u32 {
        let read = if self.name == "a" && !self.operand.along_k { tile.thread_rows.min(4) } else { 4 };
        match tile.memory {
            Memory::Workgroup => read,
            // Vulkan loads matrices from vectors too, which are aligned better; Metal, which has the small ones, from scalars.
            Memory::Cooperative { size: 16, .. } => 4,
            Memory::Cooperative { .. } | Memory::Direct => 1,
        }
    }

    /// Threads side by side along m (or n).
    pub fn across(&self, tile: &Tile) -> u32 {
        self.extent / if self.name == "a" { tile.thread_rows } else { tile.thread_columns }
    }

    /// Whether the words of a four of k are turned by its number, so that neighbouring threads store to different banks.
    pub fn turned(&self, tile: &Tile) -> bool {
        self.across(tile) >= tile.depth / 4
    }

    /// The distance between rows of the tile in workgroup memory. Cooperative matrices take a tile as it was loaded; eight
    /// elements more keep neighbouring rows on different banks.
    pub fn pitch(&self, tile: &Tile) -> u32 {
        match tile.memory {
            Memory::Cooperative { .. } if self.operand.along_k => tile.depth + 8,
            Memory::Cooperative { .. } => self.extent + 8,
            Memory::Workgroup | Memory::Direct => self.extent,
        }
    }

    /// What a thread needs to load its fours and to put them in the tile.
    pub fn prepare(&self, lines: &mut Vec<String>, tile: &Tile) {
        if self.operand.along_k {
            self.prepare_along_k(lines, tile);
        } else {
            self.prepare_across(lines, tile);
        }
        for j in 0..self.loads(tile) {
            lines.extend(self.fours(j).map(|(_, four)| format!("var {four} = vec4<{}>();", scalar(tile))));
        }
    }

    /// Whether what an invocation reads from row `at` on, beside nobody of another column, is its own to keep.
    pub fn keep(&self, lines: &mut Vec<String>, number: impl std::fmt::Display, at: &str, first: &str) {
        if self.operand.kept {
            let Self { name, origin, .. } = self;
            lines.push(format!("let {name}_mine{number} = ({first} == 0u) & ({origin} + {at} < GEMM_M);"));
        }
    }

    /// Fours of k. In workgroup memory the words that threads side by side read at once lie side by side: first a word of every
    /// thread, then the next of every thread.
    fn prepare_along_k(&self, lines: &mut Vec<String>, tile: &Tile) {
        let Self { name, locate, origin, extent, .. } = self;
        let (run, across) = (self.run(), self.across(tile));
        let runs = tile.depth / run;
        lines.push(format!("let {name}_k = thread % {runs}u * {run}u;"));
        for j in 0..self.loads(tile) {
            let further = j * tile.threads() / runs;
            lines.push(format!("let {name}_at{j} = thread / {runs}u + {further}u;"));
            lines.push(format!("let {name}_row{j} = {locate}(z, {origin} + {name}_at{j});"));
            self.keep(lines, j, &format!("{name}_at{j}"), "n0");
            if matches!(tile.memory, Memory::Cooperative { .. }) {
                let (lanes, pitch) = (self.lanes(tile), self.pitch(tile) / self.lanes(tile));
                lines.push(format!("let {name}_to{j} = {name}_at{j} * {pitch}u + {name}_k{};", over(lanes)));
                continue;
            }
            let at = format!("{name}_at{j}");
            let (word, thread) = match (*name, segment(tile)) {
                ("a", _) => {
                    (format!("{at} % {}u * {across}u", tile.thread_rows), format!("{at} / {}u", tile.thread_rows))
                }
                (_, all) if all == *extent => (format!("{at} % 4u * {across}u"), format!("{at} / 4u")),
                (_, part) => (format!("({at} / {part}u * 4u + {at} % 4u) * {across}u"), format!("{at} % {part}u / 4u")),
            };
            let turn = if self.turned(tile) { format!(" ^ {name}_k / 4u") } else { String::new() };
            lines.push(format!("let {name}_to{j} = {name}_k * {}u + {word} + ({thread}{turn});", extent / 4));
        }
    }

    /// Fours of m (or n) of one term each.
    fn prepare_across(&self, lines: &mut Vec<String>, tile: &Tile) {
        let Self { name, locate, origin, extent, .. } = self;
        let (run, lanes) = (self.run(), self.lanes(tile));
        let runs = extent / run;
        lines.push(format!("let {name}_at = thread % {runs}u * {run}u;"));
        for c in 0..run / self.operand.width {
            lines.push(format!("let {name}_row{c} = {locate}(z, {origin} + {name}_at + {c}u);"));
            self.keep(lines, c, &format!("{name}_at + {c}u"), "n0");
        }
        for j in 0..self.loads(tile) {
            lines.push(format!("let {name}_k{j} = thread / {runs}u + {}u;", j * tile.threads() / runs));
            let pitch = self.pitch(tile) / lanes;
            lines.push(format!("let {name}_to{j} = {name}_k{j} * {pitch}u + {name}_at{};", over(lanes)));
        }
    }

    /// Loads the thread's runs at k into registers.
    pub fn load(&self, lines: &mut Vec<String>, tile: &Tile) {
        let name = self.name;
        lines.push("{".into());
        let singles = self.run() / self.operand.width;
        for c in 0..if self.operand.along_k { singles } else { 0 } {
            lines.push(format!("let step{c} = {name}_step(z, k, {name}_k + {c}u);"));
        }
        for j in 0..self.loads(tile) {
            if !self.operand.along_k {
                lines.push(format!("let step{j} = {name}_step(z, k, {name}_k{j});"));
            }
            let place = |c: u32| match self.operand.along_k {
                true => format!("{name}_row{j}, step{c}"),
                false => format!("{name}_row{c}, step{j}"),
            };
            let fetch = |c: u32| match self.operand.kept {
                true => format!("{name}_take({}, {name}_mine{})", place(c), if self.operand.along_k { j } else { c }),
                false => format!("{name}_fetch({})", place(c)),
            };
            match (self.run(), singles) {
                (8, _) => {
                    let mine = match (self.operand.kept, self.operand.along_k) {
                        (false, _) => String::new(),
                        (true, true) => format!(", {name}_mine{j} & {name}_owns(step0)"),
                        (true, false) => format!(", {name}_mine0 & {name}_owns(step{j})"),
                    };
                    lines.push(format!("let eight{j} = {name}_eight({name}_find({}){mine});", place(0)));
                    lines.extend(self.fours(j).map(|(half, four)| format!("{four} = eight{j}[{half}];")));
                }
                (_, 1) => lines.push(format!("{name}_next{j} = {};", fetch(0))),
                _ => {
                    let four = (0..4).map(fetch).collect::<Vec<_>>().join(", ");
                    lines.push(format!("{name}_next{j} = vec4<{}>({four});", scalar(tile)));
                }
            }
        }
        lines.push("}".into());
    }

    /// Puts the loaded runs in the tile, behind `stage` words of it.
    pub fn share(&self, lines: &mut Vec<String>, tile: &Tile, stage: &str) {
        let (name, lanes) = (self.name, self.lanes(tile));
        for (j, (half, four)) in (0..self.loads(tile)).flat_map(|j| self.fours(j).map(move |four| (j, four))) {
            for i in 0..4 / lanes {
                let part = match lanes {
                    1 => format!("{four}[{i}]"),
                    2 => format!("{four}.{}", ["xy", "zw"][i as usize]),
                    _ => four.clone(),
                };
                lines.push(format!("{name}_tile[{stage}{name}_to{j} + {}u] = {part};", (4 * half) / lanes + i));
            }
        }
    }
}

/// What turns a number of elements into one of words.
pub(super) fn over(lanes: u32) -> String {
    if lanes == 1 { String::new() } else { format!(" / {lanes}u") }
}

/// The type of what a thread holds of the operands.
fn scalar(tile: &Tile) -> &'static str {
    if matches!(tile.memory, Memory::Cooperative { .. }) { "f16" } else { "f32" }
}
