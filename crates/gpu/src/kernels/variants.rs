//! Which variant of a kernel a device gets: the one place where tiles and splits are chosen.

use chiaro_graph::plan::{Kernel, Product};
use chiaro_shaders::{Memory, Tile};

use super::class::{DeviceClass, Registers, Size};
use super::{split, winograd};

/// A variant that was found for one kernel, in place of what its shape suggests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct VariantChoice {
    /// The tile of a matrix product or convolution.
    pub tile: Option<Tile>,
    /// Parts of a product that is summed in parts; never more than the plan has scratch for.
    pub parts: Option<u32>,
    /// Invocations of a workgroup that reduces.
    pub threads: Option<u32>,
}

/// The class of device that variants are chosen for, and what was found for the kernel at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variants {
    class: DeviceClass,
    /// The cooperative tiles that may be used for the kernel at hand, the largest first; of those in `Tile::COOPERATIVE`.
    cooperative: [bool; Tile::COOPERATIVE.len()],
    transforms: Transformed,
    choice: VariantChoice,
}

/// How much scratch a convolution may take to be transformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transformed {
    /// None is.
    No,
    /// A little less than what every device binds, 128 MiB: reductions of columns come on top.
    Portable,
    /// A little less than 1 GiB.
    Large,
    /// What every device binds, also where it does not pay: for tests.
    Always,
}

impl Transformed {
    /// Every amount, in the order of their numbers.
    pub const ALL: [Transformed; 4] = [Transformed::No, Transformed::Portable, Transformed::Large, Transformed::Always];

    const fn bytes(self) -> usize {
        match self {
            Transformed::No => 0,
            Transformed::Portable | Transformed::Always => 120 << 20,
            Transformed::Large => 960 << 20,
        }
    }

    /// The amount for a device that binds so many bytes.
    pub fn of(binding_bytes: u64) -> Transformed {
        let fits = |amount: &Transformed| (amount.bytes() + amount.bytes() / 15) as u64 <= binding_bytes;
        [Transformed::Large, Transformed::Portable].into_iter().find(fits).unwrap_or(Transformed::No)
    }
}

impl Variants {
    /// Those of a GPU that nothing is known of.
    pub const GPU: Variants = Variants::of(DeviceClass::Gpu(Registers::Plenty, Size::Medium));
    #[cfg(test)]
    pub const SOFTWARE: Variants = Variants::of(DeviceClass::Software);

    /// What shapes alone suggest on a device of this class.
    pub const fn of(class: DeviceClass) -> Variants {
        let choice = VariantChoice { tile: None, parts: None, threads: None };
        Variants { class, cooperative: [false; Tile::COOPERATIVE.len()], transforms: Transformed::No, choice }
    }

    /// The same device where convolutions may be transformed.
    pub const fn with_transforms(&self, transforms: Transformed) -> Variants {
        Variants { transforms, ..*self }
    }

    /// How much scratch a convolution may take to be transformed.
    pub fn transformed(&self) -> Transformed {
        self.transforms
    }

    /// Whether convolutions are transformed: not where a tile was chosen for them as they are, nor on software devices, nor where
    /// threads have few registers: none of those was measured.
    pub fn transforms(&self) -> bool {
        let suits = matches!(self.class, DeviceClass::Gpu(Registers::Plenty, _));
        suits && self.choice.tile.is_none() && self.transforms != Transformed::No
    }

    /// Whether somebody chose in how many parts the terms are summed.
    pub fn parts_are_chosen(&self) -> bool {
        self.choice.parts.is_some()
    }

    /// Whether convolutions are transformed wherever they can be.
    pub fn always_transforms(&self) -> bool {
        self.transforms == Transformed::Always
    }

    /// Multiply-adds of a plain convolution in which an element at a position is written and read again. An H100 (18 operations a byte) took
    /// 0.70, 0.58, 0.48 and 0.39 of the plain time at 64, 128, 256 and 512 channels; others have 30 to 80 operations a byte.
    pub fn moved_element(&self) -> u64 {
        match self.class {
            DeviceClass::Gpu(_, Size::Server) => 45,
            DeviceClass::Gpu(_, Size::Small | Size::Medium | Size::Large) | DeviceClass::Software => 120,
        }
    }

    /// Whether a thread has few registers.
    pub fn registers_are_few(&self) -> bool {
        matches!(self.class, DeviceClass::Gpu(Registers::Few, _))
    }

    /// 32-bit elements that memory moves in the 2 us between two dispatches: at 3 TB/s and at 0.6.
    pub fn moved_in_a_call(&self) -> u64 {
        match self.class {
            DeviceClass::Gpu(_, Size::Server) => 1_500_000,
            DeviceClass::Gpu(_, Size::Small | Size::Medium | Size::Large) => 300_000,
            DeviceClass::Software => 0,
        }
    }

    /// Most bytes of scratch of a transformed convolution.
    pub fn transformed_bytes(&self) -> usize {
        self.transforms.bytes()
    }

    /// Parts in which the terms of a transformed weight gradient are summed, where `tiles` workgroups make one.
    pub fn transformed_parts(&self, tiles: usize, terms: usize) -> usize {
        let DeviceClass::Gpu(_, size) = self.class else { return 1 };
        (2 * filling(size) / tiles.max(1)).min(terms / split::SHORTEST).max(1)
    }

    /// The class of the device.
    pub fn class(&self) -> DeviceClass {
        self.class
    }

    /// The same device with a choice for one kernel.
    pub fn with(&self, choice: VariantChoice) -> Variants {
        Variants { choice, ..*self }
    }

    /// The same device with cooperative tiles that gave right results, for a kernel of f16 operands.
    pub fn with_cooperative(&self, trusted: &[Tile]) -> Variants {
        Variants { cooperative: Tile::COOPERATIVE.map(|tile| trusted.contains(&tile)), ..*self }
    }

    /// What shapes alone suggest: plans are made with this, whatever was found.
    pub fn plain(&self) -> Variants {
        Variants::of(self.class).with_transforms(self.transforms)
    }

    /// Whether shaders run on the CPU.
    pub fn software(&self) -> bool {
        self.class == DeviceClass::Software
    }

    /// Invocations of a workgroup that reduces.
    pub fn reduce_threads(&self) -> usize {
        self.choice.threads.map_or(if self.software() { 64 } else { 256 }, |threads| threads as usize)
    }

    /// The tile for a product.
    pub fn tile(&self, product: Product) -> Tile {
        match (self.choice.tile, self.class) {
            (Some(tile), _) => tile,
            (None, DeviceClass::Software) => software_tile(product),
            (None, DeviceClass::Gpu(registers, size)) => {
                self.cooperative_tile(product, size).unwrap_or_else(|| gpu_tile(product, registers, size))
            }
        }
    }

    /// The largest trusted tile that the product fills.
    fn cooperative_tile(&self, product: Product, size: Size) -> Option<Tile> {
        let trusted = Tile::COOPERATIVE.into_iter().zip(self.cooperative).take(Tile::SUGGESTED_COOPERATIVE);
        let all: Vec<Tile> = trusted.filter(|&(_, trusted)| trusted).map(|(tile, _)| tile).collect();
        all.iter().find(|tile| suits(tile, product, matrices_filling(size))).or(all.last()).copied()
    }

    /// Parts in which the terms of a product are summed: 1 where the tiles of its result fill the device.
    pub fn product_parts(&self, product: Product) -> usize {
        /// Fewer parts gain less than the second dispatch takes.
        const FEWEST: usize = 4;
        let Product { batch, m, n, k, .. } = product;
        let DeviceClass::Gpu(_, size) = self.class else { return 1 };
        let whole = split::tiles(&self.tile(product), m, n, batch);
        let parts = |tiles: usize| self.choice.parts.map_or(2 * filling(size) / tiles, |parts| parts as usize);
        let parts = parts(split::tile(product, self).1.max(1)).min(k / split::SHORTEST);
        if whole >= 2 * filling(size) || parts < FEWEST { 1 } else { parts }
    }

    /// Invocations that the device runs at once with half of the subgroups that it has room for: 1,024 a unit. A kernel of no more loses
    /// nothing beside one whose registers halve the subgroups.
    pub fn at_once(&self) -> u64 {
        match self.class {
            DeviceClass::Software => u64::MAX,
            DeviceClass::Gpu(_, size) => filling(size) as u64 * 2 / 3 * 1024,
        }
    }

    /// Parts in which the terms of a weight gradient are summed, where `tiles` workgroups of a tile make one.
    pub fn weight_grad_parts(&self, tile: &Tile, tiles: usize, terms: usize) -> usize {
        let workgroups = match self.class {
            DeviceClass::Software => 8,
            DeviceClass::Gpu(_, size) => match tile.memory {
                // To the nearest: one part of 144 tiles where 264 run at once took 110 us on an H100, five 90 and a second pass of 28.
                Memory::Cooperative { .. } => together(tile, size) + tiles / 2,
                Memory::Workgroup | Memory::Direct => 4 * filling(size),
            },
        };
        let parts = self.choice.parts.map_or(workgroups / tiles.max(1), |parts| parts as usize);
        parts.min(terms / split::SHORTEST).max(1)
    }
}

/// Workgroups that fill a device: one and a half a unit. (256 fill the 132 units of an H100: smaller tiles in larger numbers took
/// 1.4 to 2 times as long there, docs/performance.md.)
fn filling(size: Size) -> usize {
    match size {
        Size::Small => 24,
        Size::Medium => 96,
        Size::Large | Size::Server => 198,
    }
}

/// The same of cooperative tiles, whose matrix units are kept busy by three quarters of a workgroup a unit: on an H100 128 workgroups of 128x64x64
/// took 67 us for what as many of half the depth took 107 for, and 256 of 64x64 more.
fn matrices_filling(size: Size) -> usize {
    filling(size) / 2
}

/// Workgroups of a cooperative tile that a device runs at once: as many a unit as its registers hold sums of, which are half of what a
/// subgroup keeps, and four at most. More parts of a weight gradient than that only make its second pass longer: on an H100 720 to 790
/// workgroups took 94 us and 25 for 52 MB of parts.
fn together(tile: &Tile, size: Size) -> usize {
    const SUMS: usize = 32 << 10;
    let a_unit = (SUMS / (tile.rows * tile.columns) as usize).clamp(1, 4);
    a_unit * filling(size) * 2 / 3
}

/// What an instruction of a computed input costs in this kernel, as elements that could be moved meanwhile. An element is computed
/// as often as the product reads it, once for each tile. On an H100 a norm and ReLU of 5 instructions cost 0.2 elements at each reading.
pub(crate) fn load_price(kernel: &Kernel, input: usize, variants: &Variants) -> u64 {
    let readings = |product: Product| {
        if let Some(transformed) = winograd::readings(kernel, input, variants) {
            return transformed;
        }
        let Product { batch, m, n, k, .. } = product;
        let weight_grad = matches!(kernel, Kernel::Conv2dWeightGrad(_));
        let tile = if weight_grad { split::tile(product, variants).0 } else { variants.tile(product) };
        // The weight gradient has its images on the right, all others on the left.
        let left = !weight_grad || input == 1;
        let all = if left { m * n.div_ceil(tile.columns as usize) } else { n * m.div_ceil(tile.rows as usize) };
        batch * k * all
    };
    let share = match variants.class {
        DeviceClass::Gpu(_, Size::Server) => 24,
        DeviceClass::Gpu(_, Size::Small | Size::Medium | Size::Large) => 96,
        DeviceClass::Software => return 0,
    };
    kernel.product().map_or(0, |product| readings(product) as u64 / share)
}

/// Large tiles reuse most; they must still be enough to fill the device.
fn suits(tile: &Tile, Product { m, n, batch, .. }: Product, filling: usize) -> bool {
    let fills = m.div_ceil(tile.rows as usize) * n.div_ceil(tile.columns as usize) * batch >= filling;
    fills && m > tile.rows as usize / 2 && n > tile.columns as usize / 2
}

fn gpu_tile(product: Product, registers: Registers, size: Size) -> Tile {
    // 8x8 sums in a tile of 64 rows or columns spill on Adreno 7xx: docs/gpu-compilers.md.
    let largest = match registers {
        Registers::Plenty => Some(Tile::LARGE),
        Registers::Few => None,
    };
    let mut wanted = largest.into_iter().chain(Tile::FOURS).chain([Tile::MEDIUM]);
    let found = wanted.find(|tile| suits(tile, product, filling(size)));
    found.unwrap_or(if product.m > 16 && product.n > 16 { Tile::SMALL } else { Tile::TINY })
}

/// Software devices compile at the first dispatch, one kernel after the other, and every load is eight loads with a branch
/// each: one term at a time and few outputs a thread compile in 0.05 to 0.15 s, 8x8 in 0.2 to 0.7 s, and only long products
/// give that back. Measured on llvmpipe (Mesa 25): docs/performance.md.
fn software_tile(Product { m, n, k, batch, busy_rows }: Product) -> Tile {
    let work = m.saturating_mul(n).saturating_mul(k).saturating_mul(batch);
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

    const LARGE: Product = Product { m: 1 << 14, n: 256, k: 1152, batch: 1, busy_rows: false };

    #[test]
    fn cooperative_tiles_are_used_only_where_they_may_be_trusted() {
        assert_eq!(Variants::GPU.tile(LARGE), Tile::LARGE);
        let trusting = Variants::GPU.with_cooperative(&Tile::COOPERATIVE[..7]);
        assert_eq!(trusting.tile(LARGE), Tile::COOPERATIVE[0]);
        assert_eq!(trusting.tile(Product { n: 64, ..LARGE }), Tile::COOPERATIVE[2]);
        assert_eq!(trusting.tile(Product { m: 40, n: 40, ..LARGE }), Tile::COOPERATIVE[6]);
        assert_eq!(trusting.plain().tile(LARGE), Tile::LARGE, "plans count on what every device has");
    }

    #[test]
    fn where_registers_are_few_no_thread_has_eight_by_eight_sums() {
        for class in DeviceClass::ALL {
            let eights = |busy_rows| {
                let shapes = [[1 << 14, 512], [1 << 14, 64], [64, 1 << 14]];
                let tiles = shapes.map(|[m, n]| Variants::of(class).tile(Product { m, n, busy_rows, ..LARGE }));
                tiles.map(|tile| tile.thread_rows * tile.thread_columns == 64)
            };
            let (none, wide) = ([false; 3], [true, false, false]);
            let wanted = match class {
                // A term at a time there.
                DeviceClass::Software => continue,
                DeviceClass::Gpu(Registers::Plenty, _) => [wide, wide],
                DeviceClass::Gpu(Registers::Few, _) => [none, none],
            };
            assert_eq!([eights(true), eights(false)], wanted, "{class:?}");
        }
    }

    #[test]
    fn a_larger_device_wants_more_workgroups() {
        let of = |size| Variants::of(DeviceClass::Gpu(Registers::Plenty, size));
        let product = Product { m: 1024, n: 512, ..LARGE };
        assert_eq!(of(Size::Small).tile(product), Tile::LARGE, "32 workgroups");
        assert_ne!(of(Size::Medium).tile(product), Tile::LARGE);
        let parts =
            [Size::Small, Size::Medium, Size::Large].map(|size| of(size).weight_grad_parts(&Tile::LARGE, 4, 1 << 20));
        assert_eq!(parts, [24, 96, 198]);
    }

    #[test]
    fn a_choice_replaces_what_shapes_suggest() {
        let choice = VariantChoice { tile: Some(Tile::TINY), parts: Some(2), threads: Some(128) };
        let chosen = Variants::GPU.with(choice);
        assert_eq!(
            (chosen.tile(LARGE), chosen.weight_grad_parts(&Tile::TINY, 1, 1 << 20), chosen.reduce_threads()),
            (Tile::TINY, 2, 128)
        );
        assert_eq!(chosen.weight_grad_parts(&Tile::TINY, 1, 300), 1, "no part without terms");
    }
}
