//! Which variant of a kernel a device gets: the one place where tiles and splits are chosen.

use chiaro_shaders::{Memory, Tile};

/// What a tile is chosen for: `z` products of `[m, k]` and `[k, n]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Product {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub z: usize,
    /// Every row finds its elements for itself at every step (an input gradient), which takes registers.
    pub busy_rows: bool,
}

/// A variant that was found for one kernel, in place of what its shape suggests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Choice {
    /// The tile of a matrix product or convolution.
    pub tile: Option<Tile>,
    /// Parts of a weight gradient; never more than the plan has scratch for.
    pub parts: Option<u32>,
    /// Invocations of a workgroup that reduces.
    pub threads: Option<u32>,
}

/// The kind of device that variants are chosen for, and what was found for the kernel at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variants {
    /// Shaders run on the CPU: workgroup memory and barriers cost there and gain nothing.
    software: bool,
    /// The cooperative tiles that may be used for the kernel at hand, the largest first; of those in `Tile::COOPERATIVE`.
    cooperative: [bool; Tile::COOPERATIVE.len()],
    choice: Choice,
}

const NO_CHOICE: Choice = Choice { tile: None, parts: None, threads: None };

impl Variants {
    pub const GPU: Variants = Variants { software: false, cooperative: [false; 6], choice: NO_CHOICE };
    pub const SOFTWARE: Variants = Variants { software: true, ..Variants::GPU };

    /// The same device with a choice for one kernel.
    pub fn with(&self, choice: Choice) -> Variants {
        Variants { choice, ..*self }
    }

    /// The same device with cooperative tiles that gave right results, for a kernel of f16 operands.
    pub fn with_cooperative(&self, trusted: &[Tile]) -> Variants {
        Variants { cooperative: Tile::COOPERATIVE.map(|tile| trusted.contains(&tile)), ..*self }
    }

    /// What shapes alone suggest: plans are made with this, whatever was found.
    pub fn plain(&self) -> Variants {
        if self.software { Variants::SOFTWARE } else { Variants::GPU }
    }

    /// Whether shaders run on the CPU.
    pub fn software(&self) -> bool {
        self.software
    }

    /// Invocations of a workgroup that reduces.
    pub fn reduce_threads(&self) -> usize {
        self.choice.threads.map_or(if self.software { 64 } else { 256 }, |threads| threads as usize)
    }

    /// The tile for a product.
    pub fn tile(&self, product: Product) -> Tile {
        match self.choice.tile {
            Some(tile) => tile,
            None if self.software => software_tile(product),
            None => self.cooperative_tile(product).unwrap_or_else(|| gpu_tile(product)),
        }
    }

    /// The largest trusted tile that the product fills.
    fn cooperative_tile(&self, product: Product) -> Option<Tile> {
        let trusted = Tile::COOPERATIVE.into_iter().zip(self.cooperative).filter(|(_, trusted)| *trusted);
        let all: Vec<Tile> = trusted.map(|(tile, _)| tile).collect();
        all.iter().find(|tile| suits(tile, product)).or(all.last()).copied()
    }

    /// Parts in which the terms of a weight gradient are summed, where `tiles` workgroups make one.
    pub fn weight_grad_parts(&self, tiles: usize, terms: usize) -> usize {
        let (workgroups, shortest) = if self.software { (8, 256) } else { (512, 256) };
        let parts = self.choice.parts.map_or(workgroups / tiles.max(1), |parts| parts as usize);
        parts.min(terms / shortest).max(1)
    }
}

/// Large tiles reuse most; they must still be enough to fill the device.
fn suits(tile: &Tile, Product { m, n, z, .. }: Product) -> bool {
    let fills = m.div_ceil(tile.rows as usize) * n.div_ceil(tile.columns as usize) * z >= 128;
    fills && m > tile.rows as usize / 2 && n > tile.columns as usize / 2
}

fn gpu_tile(product: Product) -> Tile {
    let wanted = [Tile::LARGE, Tile::new(Memory::Workgroup, [128, 64, 16], [8, 4]), Tile::MEDIUM];
    let found = wanted.into_iter().find(|tile| suits(tile, product));
    found.unwrap_or(if product.m > 16 && product.n > 16 { Tile::SMALL } else { Tile::TINY })
}

/// Software devices compile at the first dispatch, one kernel after the other, and every load is eight loads with a branch
/// each: one term at a time and few outputs a thread compile in 0.05 to 0.15 s, 8x8 in 0.2 to 0.7 s, and only long products
/// give that back. Measured on llvmpipe (Mesa 25): docs/performance.md.
fn software_tile(Product { m, n, k, z, busy_rows }: Product) -> Tile {
    let work = m.saturating_mul(n).saturating_mul(k).saturating_mul(z);
    if work < 1 << 26 || m < 8 || n < 32 {
        Tile::new(Memory::Direct, [16, 32, 1], [4, 4])
    } else if work < 1 << 28 || n < 64 || busy_rows {
        Tile::new(Memory::Direct, [16, 32, 1], [8, 4])
    } else {
        Tile::SOFTWARE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: Product = Product { m: 1 << 14, n: 256, k: 1152, z: 1, busy_rows: false };

    #[test]
    fn cooperative_tiles_are_used_only_where_they_may_be_trusted() {
        assert_eq!(Variants::GPU.tile(LARGE), Tile::LARGE);
        let trusting = Variants::GPU.with_cooperative(&Tile::COOPERATIVE[1..3]);
        assert_eq!(trusting.tile(LARGE), Tile::COOPERATIVE[1]);
        assert_eq!(trusting.tile(Product { m: 40, n: 40, ..LARGE }), Tile::COOPERATIVE[2]);
        assert_eq!(trusting.plain().tile(LARGE), Tile::LARGE, "plans count on what every device has");
    }

    #[test]
    fn a_choice_replaces_what_shapes_suggest() {
        let choice = Choice { tile: Some(Tile::TINY), parts: Some(2), threads: Some(128) };
        let chosen = Variants::GPU.with(choice);
        assert_eq!(
            (chosen.tile(LARGE), chosen.weight_grad_parts(1, 1 << 20), chosen.reduce_threads()),
            (Tile::TINY, 2, 128)
        );
        assert_eq!(chosen.weight_grad_parts(1, 300), 1, "no part without terms");
    }
}
