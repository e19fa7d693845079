//! Which variant of a kernel a device gets: the one place where tiles and splits are chosen.

use chiaro_shaders::{Memory, Tile};

/// The kind of device that variants are chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variants {
    /// Shaders run on the CPU: workgroup memory and barriers cost there and gain nothing.
    software: bool,
}

impl Variants {
    pub const GPU: Variants = Variants { software: false };
    pub const SOFTWARE: Variants = Variants { software: true };

    /// Invocations of a workgroup that reduces.
    pub fn reduce_threads(&self) -> usize {
        if self.software { 64 } else { 256 }
    }

    /// The tile for `z` products of `[m, k]` and `[k, n]`.
    pub fn tile(&self, m: usize, n: usize, z: usize) -> Tile {
        if self.software {
            return match (m, n) {
                (0..32, _) | (_, 0..32) => Tile::new(Memory::Direct, [16, 32, 4], [4, 4]),
                (_, 32..64) => Tile::new(Memory::Direct, [64, 32, 4], [8, 4]),
                _ => Tile::SOFTWARE,
            };
        }
        // Large tiles reuse most; they must still be enough to fill the device.
        let fills = |tile: &Tile| m.div_ceil(tile.rows as usize) * n.div_ceil(tile.columns as usize) * z >= 128;
        let fits = |tile: &Tile| m > tile.rows as usize / 2 && n > tile.columns as usize / 2;
        let wanted = [Tile::LARGE, Tile::new(Memory::Workgroup, [128, 64, 16], [8, 4]), Tile::MEDIUM];
        let found = wanted.into_iter().find(|tile| fills(tile) && fits(tile));
        found.unwrap_or(if m > 16 && n > 16 { Tile::SMALL } else { Tile::TINY })
    }

    /// Parts in which the `terms` of the products of a weight gradient are summed, where `tiles` workgroups make one.
    pub fn weight_grad_parts(&self, tiles: usize, terms: usize) -> usize {
        let (workgroups, shortest) = if self.software { (8, 256) } else { (512, 256) };
        (workgroups / tiles.max(1)).min(terms / shortest).max(1)
    }
}
