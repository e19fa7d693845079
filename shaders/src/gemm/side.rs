//! One operand as the body of a tile sees it: which elements a thread loads, and where it puts them in workgroup memory.

use super::unroll::segment;
use super::{Memory, Tile, TileOperand, shared};

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
    /// The fours of the tile that one thread loads.
    fn loads(&self, tile: &Tile) -> u32 {
        self.extent * tile.depth / 4 / tile.threads()
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
            Memory::Cooperative { size: 16 } => 4,
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
            lines.push(format!("var {}_next{j} = vec4<{}>();", self.name, scalar(tile)));
        }
    }

    /// Fours of k. In workgroup memory the words that threads side by side read at once lie side by side: first a word of every
    /// thread, then the next of every thread.
    fn prepare_along_k(&self, lines: &mut Vec<String>, tile: &Tile) {
        let Self { name, locate, origin, extent, .. } = self;
        let (fours, across) = (tile.depth / 4, self.across(tile));
        lines.push(format!("let {name}_k = thread % {fours}u * 4u;"));
        for j in 0..self.loads(tile) {
            let further = j * tile.threads() / fours;
            lines.push(format!("let {name}_at{j} = thread / {fours}u + {further}u;"));
            lines.push(format!("let {name}_row{j} = {locate}(z, {origin} + {name}_at{j});"));
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
        let (fours, lanes) = (extent / 4, self.lanes(tile));
        lines.push(format!("let {name}_at = thread % {fours}u * 4u;"));
        for c in 0..4 / self.operand.width {
            lines.push(format!("let {name}_row{c} = {locate}(z, {origin} + {name}_at + {c}u);"));
        }
        for j in 0..self.loads(tile) {
            lines.push(format!("let {name}_k{j} = thread / {fours}u + {}u;", j * tile.threads() / fours));
            let pitch = self.pitch(tile) / lanes;
            lines.push(format!("let {name}_to{j} = {name}_k{j} * {pitch}u + {name}_at{};", over(lanes)));
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
        let (name, lanes) = (self.name, self.lanes(tile));
        for j in 0..self.loads(tile) {
            shared::put_four(
                lines,
                &format!("{name}_tile"),
                lanes,
                &format!("{name}_to{j} + "),
                &format!("{name}_next{j}"),
            );
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
