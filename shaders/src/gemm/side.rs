//! One operand as the body of a tile sees it: which elements a thread loads, and where it puts them in workgroup memory.

use super::unroll::segment;
use super::{Memory, Operand, Tile, shared};

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
    pub operand: &'a Operand,
}

impl Side<'_> {
    /// The fours of the tile that one thread loads.
    fn loads(&self, tile: &Tile) -> u32 {
        self.extent * tile.depth / 4 / tile.threads()
    }

    /// Neighbours along m (or n) that are one word of workgroup memory: 4, 2 or 1. A thread must have whole words to store,
    /// since a store to one component of a vector may touch the others, which other invocations write (Metal's compilers do
    /// that); and whole words to read.
    pub fn lanes(&self, tile: &Tile) -> u32 {
        let stored = if self.operand.along_k { self.loads(tile).min(4) } else { 4 };
        let read = if self.name == "a" { tile.thread_rows.min(4) } else { 4 };
        match tile.memory {
            Memory::Workgroup => stored.min(read),
            // Cooperative matrices are loaded from scalars.
            Memory::Cooperative { .. } | Memory::Direct => 1,
        }
    }

    /// By how much the position of an element is turned for every four of k, so that the transposing stores of a
    /// subgroup fall on different banks of workgroup memory. 0 where elements are stored as they are loaded.
    pub fn turn(&self, tile: &Tile) -> u32 {
        let fours = tile.depth / 4;
        let turn = (32 / fours).max(8);
        let room = self.extent.min(if self.name == "b" { segment(tile) } else { self.extent });
        if self.operand.along_k && (fours - 1) * turn < room { turn } else { 0 }
    }

    /// The distance between rows of the tile in workgroup memory. Cooperative matrices take a tile as it was loaded; eight
    /// elements more keep neighbouring rows on different banks.
    pub fn pitch(&self, tile: &Tile) -> u32 {
        match tile.memory {
            Memory::Cooperative { .. } if self.operand.along_k => tile.depth + 8,
            Memory::Cooperative { .. } => self.extent + 8,
            _ => self.extent,
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

    /// Fours of k: as many neighbouring rows as make a word, then the same further on.
    fn prepare_along_k(&self, lines: &mut Vec<String>, tile: &Tile) {
        let Self { name, locate, origin, extent, .. } = self;
        let (threads, loads, lanes, fours) = (tile.threads(), self.loads(tile), self.lanes(tile), tile.depth / 4);
        lines.push(format!("let {name}_k = thread % {fours}u * 4u;"));
        let first = if lanes == 1 { format!("thread / {fours}u") } else { format!("thread / {fours}u * {lanes}u") };
        for j in 0..loads {
            let further = j / lanes * lanes * threads / fours + j % lanes;
            lines.push(format!("let {name}_at{j} = {first} + {further}u;"));
            lines.push(format!("let {name}_row{j} = {locate}(z, {origin} + {name}_at{j});"));
        }
        for j in (0..loads).step_by(lanes as usize) {
            let word = if lanes == 1 { format!("{name}_at{j}") } else { format!("{name}_at{j} / {lanes}u") };
            let turned = match self.turn(tile) {
                0 => word,
                turn => format!("({word} ^ ({name}_k * {}u{}))", turn / 4, over(lanes)),
            };
            let to = match tile.memory {
                Memory::Cooperative { .. } => format!("{name}_at{j} * {}u + {name}_k", self.pitch(tile)),
                Memory::Workgroup | Memory::Direct => format!("{name}_k * {}u + {turned}", extent / lanes),
            };
            lines.push(format!("let {name}_to{j} = {to};"));
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
        let target = format!("{name}_tile");
        if !self.operand.along_k || tile.memory != Memory::Workgroup {
            for j in 0..self.loads(tile) {
                shared::put_four(lines, &target, lanes, &format!("{name}_to{j} + "), 0, &format!("{name}_next{j}"));
            }
            return;
        }
        for j in (0..self.loads(tile)).step_by(lanes as usize) {
            for c in 0..4 {
                let parts: Vec<String> = (j..j + lanes).map(|l| format!("{name}_next{l}[{c}]")).collect();
                let at = format!("{name}_to{j} + {}u", c * self.extent / lanes);
                lines.push(format!("{target}[{at}] = {};", shared::word(&parts)));
            }
        }
    }
}

/// What turns a number of elements into one of words.
fn over(lanes: u32) -> String {
    if lanes == 1 { String::new() } else { format!(" / {lanes}u") }
}

/// The type of what a thread holds of the operands.
fn scalar(tile: &Tile) -> &'static str {
    if matches!(tile.memory, Memory::Cooperative { .. }) { "f16" } else { "f32" }
}
