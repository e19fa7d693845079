//! The tiles of cooperative matrices: which there are, and how they share a workgroup's memory.

use super::{Memory, Tile};

/// Workgroup memory that GPUs have, but for the smallest.
pub(super) const PORTABLE_BYTES: u32 = 32 << 10;

/// Workgroup memory of large GPUs, which the longest tiles need.
const LARGE_BYTES: u32 = 48 << 10;

/// Values of each column that a cooperative tile has room to reduce.
const REDUCED_VALUES: u32 = 3;

/// A tile of matrices of 16x16x16 with `stages` tiles of the operands in workgroup memory, and so many elements a load.
const fn sixteen(workgroup: [u32; 3], stages: u32, subgroup: [u32; 2], loads: u32) -> Tile {
    Tile::new(Memory::Cooperative { size: 16, stages, loads }, workgroup, subgroup)
}

/// The same of 8x8x8.
const fn eight(workgroup: [u32; 3], subgroup: [u32; 2]) -> Tile {
    Tile::new(Memory::Cooperative { size: 8, stages: 1, loads: 8 }, workgroup, subgroup)
}

impl Tile {
    /// The cooperative tiles for f16 operands where the device has matrices of the size, the first that suits a product first. The order and
    /// the elements a load are what an H100 was fastest with: docs/performance.md.
    pub const COOPERATIVE: [Self; 13] = [
        sixteen([128, 128, 64], 1, [64, 32], 8),
        sixteen([128, 128, 32], 1, [64, 32], 4),
        sixteen([128, 64, 64], 1, [32, 32], 8),
        sixteen([128, 64, 32], 1, [64, 32], 4),
        sixteen([64, 128, 32], 1, [32, 64], 8),
        sixteen([64, 64, 32], 1, [32, 32], 4),
        sixteen([32, 32, 32], 1, [16, 16], 4),
        eight([64, 64, 32], [32, 32]),
        eight([32, 64, 16], [16, 32]),
        eight([32, 32, 16], [16, 16]),
        // For who searches.
        sixteen([256, 128, 32], 1, [64, 64], 8),
        sixteen([128, 128, 32], 2, [64, 64], 8),
        sixteen([64, 64, 64], 1, [32, 32], 8),
    ];

    /// How many of [`Tile::COOPERATIVE`], the first ones, shapes alone may suggest; the others are for who searches or asks for one.
    pub const SUGGESTED_COOPERATIVE: usize = 10;

    /// Can a cooperative tile reduce so many values of each column?
    pub(super) const fn has_room_for(values: u32) -> bool {
        values <= REDUCED_VALUES
    }

    /// Bytes of workgroup memory of a cooperative tile: at most the longer pitch of both operands, matrices of f32 for each
    /// subgroup, and what is reduced of the columns.
    pub(super) const fn matrix_bytes(&self, size: u32) -> u32 {
        self.operand_bytes() + self.reduction_bytes() + 4 * size * size * self.parts() * self.stored_at_once()
    }

    /// Bytes of both operands, whichever way they lie.
    const fn operand_bytes(&self) -> u32 {
        let along = (self.rows + self.columns) * (self.depth + 8);
        let across = self.depth * (self.rows + self.columns + 16);
        2 * self.stages() * if along > across { along } else { across }
    }

    const fn reduction_bytes(&self) -> u32 {
        4 * REDUCED_VALUES * (self.rows / self.thread_rows) * self.columns
    }

    /// Tiles of the operands in workgroup memory.
    pub(super) const fn stages(&self) -> u32 {
        match self.memory {
            Memory::Cooperative { stages, .. } => stages,
            Memory::Workgroup | Memory::Direct => 1,
        }
    }

    /// Matrices of a cooperative part that go through workgroup memory at once on their way to the result: as many neighbours as
    /// there is room for.
    pub(super) const fn stored_at_once(&self) -> u32 {
        let Memory::Cooperative { size, .. } = self.memory else { return 0 };
        let (each, others) = (4 * size * size * self.parts(), self.operand_bytes() + self.reduction_bytes());
        let room = if others + each <= PORTABLE_BYTES { PORTABLE_BYTES } else { LARGE_BYTES };
        let mut count = self.thread_columns / size;
        while count > 1 && others + each * count > room {
            count /= 2;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cooperative_tile_fits_large_gpus_and_those_of_small_matrices_any() {
        for tile in Tile::COOPERATIVE {
            let eight = matches!(tile.memory, Memory::Cooperative { size: 8, .. });
            assert!(tile.workgroup_bytes() <= if eight { PORTABLE_BYTES } else { LARGE_BYTES }, "{tile}");
        }
    }

    #[test]
    fn no_two_tiles_have_one_name() {
        let mut names: Vec<String> = Tile::ALL.iter().chain(&Tile::COOPERATIVE).map(ToString::to_string).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Tile::ALL.len() + Tile::COOPERATIVE.len());
    }
}
