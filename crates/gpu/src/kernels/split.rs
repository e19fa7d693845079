//! Products whose terms are summed in parts, since their results alone are too few tiles to fill a device: the parts go to scratch,
//! and a second dispatch adds them in order.

use chiaro_graph::plan::{Product, Step};
use chiaro_shaders::kernels::SumParts;
use chiaro_shaders::{ShaderError, ShaderKernel, Tile};

use super::{Dispatch, Variants, composed, output_elem};
use crate::codegen;

/// Terms that suffice to keep a tile busy, and of which no part has fewer.
pub(super) const SHORTEST: usize = 256;

/// The tile for a product that may be split, and the tiles of its result.
pub(super) fn tile(product: Product, variants: &Variants) -> (Tile, usize) {
    // Splitting the terms fills the device, so tiles may be as large as the shape has use for.
    let Product { batch, m, n, k, .. } = product;
    let tile = variants.tile(Product { batch: batch * k.div_ceil(SHORTEST), k: k.min(SHORTEST), ..product });
    (tile, tiles(&tile, m, n, batch))
}

/// Tiles of the results of a product.
pub(super) fn tiles(tile: &Tile, m: usize, n: usize, batch: usize) -> usize {
    m.div_ceil(tile.rows as usize) * n.div_ceil(tile.columns as usize) * batch
}

/// The dispatches of a kernel that writes `parts` parts of `count` elements, or without `parts` the result itself.
pub(super) fn dispatches(
    step: &Step,
    kernel: ShaderKernel,
    parts: u32,
    count: u32,
) -> Result<Vec<Dispatch>, ShaderError> {
    let first = Dispatch::new(codegen::with_loads(kernel.source, step)?, kernel.workgroups);
    let sum = SumParts { parts, count, out: output_elem(step) }.kernel()?;
    // The parts are all that the sum reads.
    let rest = Step { inputs: vec![], loads: vec![], columns: None, ..step.clone() };
    Ok(vec![first, composed(&rest, sum)?])
}
