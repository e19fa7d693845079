//! The tile of the matrix-product family: what a workgroup and a thread compute.

use std::fmt;

use crate::ShaderError;

/// Where the elements that a thread multiplies come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Memory {
    /// The workgroup copies tiles of both operands into workgroup memory first.
    Workgroup,
    /// Every thread loads what it multiplies: for software devices.
    Direct,
    /// As `Workgroup`, multiplied by cooperative matrices of this size (8 or 16): f16 operands, f32 sums. Rows and columns
    /// of a thread are those of a subgroup. The device must have them, f16 and subgroups; Vulkan and Metal only.
    Cooperative {
        /// Rows, columns and terms of one matrix.
        size: u32,
        /// Tiles of the operands in workgroup memory, 1 or 2. With two the next one is stored while the subgroups still multiply the
        /// other, and a step needs one barrier instead of two.
        stages: u32,
        /// Elements loaded at once where operands allow it, 4 or 8: whether a driver joins two loads of 8 bytes to one of 16 is not known of each.
        loads: u32,
    },
}

/// The subgroup that a cooperative tile counts on; one of another size takes more or fewer turns.
const SUBGROUP: u32 = 32;

/// What a workgroup computes in one step, and a thread of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// With or without workgroup memory.
    pub memory: Memory,
    /// Rows of the result a workgroup computes.
    pub rows: u32,
    /// Columns of the result a workgroup computes.
    pub columns: u32,
    /// Terms (k) a step adds, all unrolled; a multiple of 4, or 1 without workgroup memory: the shortest code.
    pub depth: u32,
    /// Rows of the result a thread computes.
    pub thread_rows: u32,
    /// Columns of the result a thread computes; a multiple of 4.
    pub thread_columns: u32,
}

impl Tile {
    /// 128x128x16 with 8x8 a thread: large products on large GPUs.
    pub const LARGE: Self = Self::new(Memory::Workgroup, [128, 128, 16], [8, 8]);
    /// 64x64x16 with 4x4 a thread.
    pub const MEDIUM: Self = Self::new(Memory::Workgroup, [64, 64, 16], [4, 4]);
    /// 32x32x16 with 2x4 a thread: small products on GPUs.
    pub const SMALL: Self = Self::new(Memory::Workgroup, [32, 32, 16], [2, 4]);
    /// 16x16x16 with 1x4 a thread: what any device can run.
    pub const TINY: Self = Self::new(Memory::Workgroup, [16, 16, 16], [1, 4]);
    /// 8x8 a thread without workgroup memory, a term at a time: long products on software devices.
    pub const SOFTWARE: Self = Self::new(Memory::Direct, [16, 64, 1], [8, 8]);

    /// The large tiles of 8x4 and 4x8 a thread: for narrow results, and where threads have few registers.
    pub const FOURS: [Self; 2] =
        [Self::new(Memory::Workgroup, [128, 64, 16], [8, 4]), Self::new(Memory::Workgroup, [64, 128, 16], [4, 8])];

    /// The tiles that a tuner may try; each passes [`Tile::check`].
    pub const ALL: [Self; 16] = [
        Self::LARGE,
        Self::FOURS[0],
        Self::FOURS[1],
        Self::new(Memory::Workgroup, [64, 128, 16], [8, 8]),
        Self::new(Memory::Workgroup, [128, 32, 16], [8, 4]),
        Self::new(Memory::Workgroup, [64, 64, 16], [8, 8]),
        Self::MEDIUM,
        Self::new(Memory::Workgroup, [32, 64, 16], [4, 4]),
        Self::SMALL,
        Self::TINY,
        Self::SOFTWARE,
        Self::new(Memory::Direct, [16, 32, 1], [8, 4]),
        Self::new(Memory::Direct, [16, 32, 1], [4, 4]),
        Self::new(Memory::Direct, [64, 64, 4], [8, 8]),
        Self::new(Memory::Direct, [64, 32, 4], [8, 4]),
        Self::new(Memory::Direct, [16, 32, 4], [4, 4]),
    ];

    /// A tile of `[rows, columns, depth]` with `[rows, columns]` a thread.
    pub const fn new(memory: Memory, workgroup: [u32; 3], thread: [u32; 2]) -> Self {
        let [rows, columns, depth] = workgroup;
        let [thread_rows, thread_columns] = thread;
        Self { memory, rows, columns, depth, thread_rows, thread_columns }
    }

    /// The tile of this name, as [`Display`](fmt::Display) writes it, if it passes [`Tile::check`].
    pub fn named(name: &str) -> Option<Self> {
        let (memory, parts) = name.split_once(' ')?;
        let (workgroup, thread) = parts.split_once('/')?;
        let numbers = |text: &str| text.split('x').map(|n| n.parse().ok()).collect::<Option<Vec<u32>>>();
        let (workgroup, stages) = match numbers(workgroup)?[..] {
            [rows, columns, depth] => ([rows, columns, depth], 1),
            [rows, columns, depth, stages] => ([rows, columns, depth], stages),
            _ => return None,
        };
        let [thread_rows, thread_columns] = numbers(thread)?[..] else { return None };
        let memory = match memory {
            "workgroup" => Memory::Workgroup,
            "direct" => Memory::Direct,
            "cooperative8" => Memory::Cooperative { size: 8, stages, loads: 8 },
            "cooperative16" => Memory::Cooperative { size: 16, stages, loads: 8 },
            "cooperative8by4" => Memory::Cooperative { size: 8, stages, loads: 4 },
            "cooperative16by4" => Memory::Cooperative { size: 16, stages, loads: 4 },
            _ => return None,
        };
        let tile = Self::new(memory, workgroup, [thread_rows, thread_columns]);
        (tile.check().is_ok() && tile.to_string() == name).then_some(tile)
    }

    /// Invocations in a workgroup.
    pub const fn threads(&self) -> u32 {
        let parts = self.parts();
        match self.memory {
            Memory::Cooperative { .. } => parts * SUBGROUP,
            Memory::Workgroup | Memory::Direct => parts,
        }
    }

    /// Parts of the tile, each computed by a thread or a subgroup.
    pub(super) const fn parts(&self) -> u32 {
        (self.rows / self.thread_rows) * (self.columns / self.thread_columns)
    }

    /// Bytes of workgroup memory.
    pub const fn workgroup_bytes(&self) -> u32 {
        match self.memory {
            Memory::Workgroup => 4 * self.depth * (self.rows + self.columns),
            Memory::Direct => 0,
            Memory::Cooperative { size, .. } => self.matrix_bytes(size),
        }
    }

    /// Whether the parts divide one another as the generated body needs.
    pub fn check(&self) -> Result<(), ShaderError> {
        let fail = |reason| Err(ShaderError::Tile { tile: self.to_string(), reason });
        let parts = [self.rows, self.columns, self.depth, self.thread_rows, self.thread_columns];
        if !parts.iter().all(|p| p.is_power_of_two()) || parts.iter().any(|&p| p > 256) {
            return fail("every part must be a power of two up to 256");
        }
        let single = self.depth == 1 && self.memory == Memory::Direct;
        if (self.depth < 4 && !single) || self.thread_columns < 4 {
            return fail("depth and columns a thread must be multiples of 4");
        }
        if self.rows < self.thread_rows || self.columns < self.thread_columns {
            return fail("a thread computes more than its workgroup");
        }
        match self.memory {
            Memory::Direct if self.thread_rows < 4 => {
                fail("without workgroup memory a thread computes at least 4 rows")
            }
            Memory::Direct => Ok(()),
            Memory::Workgroup => self.check_loads(),
            Memory::Cooperative { size, .. } if size != 8 && size != 16 => fail("matrices are of size 8 or 16"),
            Memory::Cooperative { stages, .. } if stages != 1 && stages != 2 => fail("there are one or two stages"),
            Memory::Cooperative { loads, .. } if loads != 4 && loads != 8 => fail("four or eight are loaded at once"),
            Memory::Cooperative { size, .. } => {
                let whole = [self.thread_rows, self.thread_columns, self.depth].iter().all(|d| d.is_multiple_of(size));
                if whole { self.check_loads() } else { fail("a subgroup's part is no whole number of matrices") }
            }
        }
    }

    /// Whether every thread loads the same whole number of eights of an operand of so many rows (or columns).
    pub(super) const fn eights(&self, extent: u32) -> bool {
        let threads = self.threads();
        (extent * self.depth / 8).is_multiple_of(threads) && threads >= extent / 8 && self.depth.is_multiple_of(8)
    }

    /// Every thread must load the same whole number of fours of each operand, in either direction.
    fn check_loads(&self) -> Result<(), ShaderError> {
        let threads = self.threads();
        for side in [self.rows, self.columns] {
            let whole =
                (side * self.depth / 4).is_multiple_of(threads) && threads >= side / 4 && threads >= self.depth / 4;
            if !whole {
                return Err(ShaderError::Tile {
                    tile: self.to_string(),
                    reason: "the threads do not share the loads evenly",
                });
            }
        }
        Ok(())
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = match self.memory {
            Memory::Workgroup => "workgroup",
            Memory::Direct => "direct",
            Memory::Cooperative { size: 8, loads: 4, .. } => "cooperative8by4",
            Memory::Cooperative { size: 8, .. } => "cooperative8",
            Memory::Cooperative { loads: 4, .. } => "cooperative16by4",
            Memory::Cooperative { .. } => "cooperative16",
        };
        let Self { rows, columns, depth, thread_rows, thread_columns, .. } = self;
        let stages = if self.stages() == 1 { String::new() } else { format!("x{}", self.stages()) };
        write!(f, "{memory} {rows}x{columns}x{depth}{stages}/{thread_rows}x{thread_columns}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_tile_passes_its_check_and_uneven_ones_do_not() {
        for tile in Tile::ALL.into_iter().chain(Tile::COOPERATIVE) {
            assert_eq!(tile.check(), Ok(()), "{tile}");
        }
        assert!(Tile::new(Memory::Workgroup, [16, 16, 4], [1, 4]).check().is_err());
        assert!(Tile::new(Memory::Workgroup, [24, 16, 16], [1, 4]).check().is_err());
        assert!(Tile::new(Memory::Direct, [16, 16, 4], [2, 4]).check().is_err());
        assert!(Tile::new(Memory::Workgroup, [16, 16, 1], [1, 4]).check().is_err());
    }

    #[test]
    fn a_tile_is_found_by_the_name_it_writes_and_nothing_else_is() {
        for tile in Tile::ALL.into_iter().chain(Tile::COOPERATIVE) {
            assert_eq!(Tile::named(&tile.to_string()), Some(tile));
        }
        let unlisted = Tile::new(Memory::Cooperative { size: 8, stages: 2, loads: 4 }, [64, 64, 32], [32, 32]);
        assert_eq!(Tile::named("cooperative8by4 64x64x32x2/32x32"), Some(unlisted));
        for wrong in ["cooperative8 64x64x32x3/32x32", "workgroup 64x64x16x2/4x4", "workgroup 24x64x16/4x4", "7x7", ""]
        {
            assert_eq!(Tile::named(wrong), None, "{wrong}");
        }
    }
}
