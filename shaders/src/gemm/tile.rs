//! The tile of the matrix-product family: what a workgroup and a thread compute.

use std::fmt;

use super::columns::PORTABLE_BYTES;
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

    /// The cooperative tiles for f16 operands where the device has matrices of the size, the first that suits a product first.
    pub const COOPERATIVE: [Self; 8] = [
        Self::LONG_PRODUCTS,
        Self::new(Memory::Cooperative { size: 16 }, [128, 128, 32], [64, 32]),
        Self::new(Memory::Cooperative { size: 16 }, [128, 64, 32], [64, 32]),
        Self::new(Memory::Cooperative { size: 16 }, [64, 64, 32], [32, 32]),
        Self::new(Memory::Cooperative { size: 16 }, [32, 32, 32], [16, 16]),
        Self::new(Memory::Cooperative { size: 8 }, [64, 64, 32], [32, 32]),
        Self::new(Memory::Cooperative { size: 8 }, [32, 64, 16], [16, 32]),
        Self::new(Memory::Cooperative { size: 8 }, [32, 32, 16], [16, 16]),
    ];

    /// 64x64 a subgroup: half the loads of a matrix a multiplication of 32x32, and an epilogue that only many terms pay for.
    pub const LONG_PRODUCTS: Self = Self::new(Memory::Cooperative { size: 16 }, [128, 128, 32], [64, 64]);

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

    /// The tile of this name, as [`Display`](fmt::Display) writes it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().chain(Self::COOPERATIVE).find(|tile| tile.to_string() == name)
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
            // At most: the longer pitch of both operands, and matrices of f32 for each subgroup.
            Memory::Cooperative { size } => {
                self.matrix_operand_bytes() + 4 * size * size * self.parts() * self.stored_at_once()
            }
        }
    }

    /// Bytes of both operands of a cooperative tile, whichever way they lie.
    const fn matrix_operand_bytes(&self) -> u32 {
        let along = (self.rows + self.columns) * (self.depth + 8);
        let across = self.depth * (self.rows + self.columns + 16);
        2 * (if along > across { along } else { across })
    }

    /// Matrices of a cooperative part that go through workgroup memory at once on their way to the result: as many neighbours as
    /// portable devices have room for, with reductions of columns.
    pub(super) const fn stored_at_once(&self) -> u32 {
        let Memory::Cooperative { size } = self.memory else { return 0 };
        let reductions = 4 * 3 * (self.rows / self.thread_rows) * self.columns;
        let each = 4 * size * size * self.parts();
        let mut count = self.thread_columns / size;
        while count > 1 && self.matrix_operand_bytes() + reductions + each * count > PORTABLE_BYTES {
            count /= 2;
        }
        count
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
            Memory::Cooperative { size } if size != 8 && size != 16 => fail("matrices are of size 8 or 16"),
            Memory::Cooperative { size } => {
                let whole = [self.thread_rows, self.thread_columns, self.depth].iter().all(|d| d.is_multiple_of(size));
                if whole { self.check_loads() } else { fail("a subgroup's part is no whole number of matrices") }
            }
        }
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
            Memory::Cooperative { size: 8 } => "cooperative8",
            Memory::Cooperative { .. } => "cooperative16",
        };
        let Self { rows, columns, depth, thread_rows, thread_columns, .. } = self;
        write!(f, "{memory} {rows}x{columns}x{depth}/{thread_rows}x{thread_columns}")
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
}
