//! What a kernel must keep to, and the kernels that are known not to reach it, each with its lowest share and the reason.

use crate::chips::Chip;
use crate::figures::Figures;
use crate::kernels::Kernel;

/// Percent of multiply-adds that a product or convolution must have among the arithmetic of its hot loop.
pub const SHARE: f64 = 75.0;

/// Kernels that stay below [`SHARE`].
#[derive(Debug)]
pub struct Known {
    /// The start of the chip's name.
    pub chip: &'static str,
    /// The kernel, "" for all.
    pub kind: &'static str,
    /// Part of the shape, "" for all.
    pub shape: &'static str,
    /// The start of the tile, "" for all.
    pub tile: &'static str,
    /// The lowest share that was measured, rounded down: less is a fault.
    pub lowest: f64,
    pub reason: &'static str,
}

/// Every exception.
pub const KNOWN: &[Known] = &[];

/// What is wrong with a kernel on a chip; empty if nothing is.
pub fn faults(chip: &Chip, kernel: &Kernel, figures: &Figures) -> Vec<String> {
    let mut faults = vec![];
    if let Some(failed) = &figures.failed {
        faults.push(format!("not compiled: {failed}"));
    }
    if let Some(limit) = &kernel.limit {
        faults.push(limit.clone());
    }
    if figures.spilled > 0 {
        faults.push(format!("{} registers spilled", figures.spilled));
    }
    if figures.scratch > 0 {
        faults.push(format!("{} bytes of scratch", figures.scratch));
    }
    if let Some(share) = held_to_share(kernel).then(|| figures.share()).flatten() {
        let least = known(chip, kernel).map_or(SHARE, |known| known.lowest);
        if share < least {
            faults.push(format!("{share:.1} % multiply-adds, below {least}"));
        }
    }
    faults
}

/// Products and convolutions in tiles of workgroup memory. A cooperative matrix multiplies hundreds of numbers in one instruction, so
/// that its share says nothing.
pub fn held_to_share(kernel: &Kernel) -> bool {
    kernel.tile.as_ref().is_some_and(|tile| tile.starts_with("workgroup"))
}

/// The exception that a kernel falls under: the first that fits.
pub fn known(chip: &Chip, kernel: &Kernel) -> Option<&'static Known> {
    KNOWN.iter().find(|known| {
        chip.name.starts_with(known.chip)
            && (known.kind.is_empty() || known.kind == kernel.kind)
            && kernel.shape.contains(known.shape)
            && kernel.tile.as_ref().is_some_and(|tile| tile.starts_with(known.tile))
    })
}
