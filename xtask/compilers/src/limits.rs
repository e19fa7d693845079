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
    /// The start of the tile, "" for all.
    pub tile: &'static str,
    /// The lowest share that was measured, rounded down: less is a fault.
    pub lowest: f64,
    /// The most registers that were spilled: more is a fault, and so is any scratch where this is 0.
    pub spilled: u32,
    pub reason: &'static str,
}

const TINY: &str =
    "a tile of 16x16 multiplies only 8 times for each element that it loads: finding elements weighs more";
const SMALL: &str =
    "a tile of 32x32 multiplies only 16 times for each element that it loads: finding elements weighs more";
const MOVES: &str = "NVK moves registers to have four in a row for words of four: up to 180 moves in the loop";
const INTEL: &str = "finding and converting elements: every load from workgroup memory and every 16-bit element takes an instruction of its own";
const SPILLED: &str = "two of f16 with seven operands, 1x1 and stride 2, have 130 numbers for 128 registers";
const WIDE: &str = "in subgroups of 32, which the driver chooses, operands' addresses have no room beside the sums; none in those of 16";
const APPLE: &str = "an addition for every load from workgroup memory, whose offset honeykrisp does not fold";
const KEPT: &str = "inputs are computed in the loop and stored for the kernels behind, which saves the pass that did";
const TINY_KEPT: &str = "a tile of 16x16 multiplies only 8 times for each element that it loads, and computes and stores inputs in the loop";
const SMALL_KEPT: &str = "a tile of 32x32 multiplies only 16 times for each element that it loads, and computes and stores inputs in the loop";
const PIXELS: &str = "24 pixels, each computed of two tensors";
const COMPUTED: &str = "the normalisation of inputs, and the bounds of images, computed in the loop";

const fn known(
    chip: &'static str,
    kind: &'static str,
    tile: &'static str,
    lowest: f64,
    spilled: u32,
    reason: &'static str,
) -> Known {
    Known { chip, kind, tile, lowest, spilled, reason }
}

/// Every exception.
pub const KNOWN: &[Known] = &[
    known("amd", "Conv2dWeightGrad", "workgroup 16x16x16/1x4", 42.0, 0, TINY_KEPT),
    known("amd", "", "workgroup 16x16x16/1x4", 48.0, 0, TINY),
    known("amd", "", "workgroup 32x32x16/2x4", 58.0, 0, SMALL),
    known("nvidia", "Conv2dWeightGrad", "workgroup 16x16x16/1x4", 29.0, 0, TINY_KEPT),
    known("nvidia", "", "workgroup 16x16x16/1x4", 44.0, 0, TINY),
    known("nvidia", "", "workgroup 32x32x16/2x4", 51.0, 0, SMALL),
    known("intel", "Conv2dWeightGrad", "workgroup 16x16x16/1x4", 31.0, 0, TINY_KEPT),
    known("intel", "Conv2dWeightGrad", "workgroup 32x32x16/2x4", 46.0, 0, SMALL_KEPT),
    known("intel", "", "workgroup 16x16x16/1x4", 35.0, 0, TINY),
    known("intel", "", "workgroup 32x32x16/2x4", 49.0, 0, SMALL),
    known("qualcomm", "Conv2dWeightGrad", "workgroup 32x32x16/2x4", 50.0, 0, SMALL_KEPT),
    known("qualcomm", "", "workgroup 16x16x16/1x4", 33.0, 0, TINY),
    known("qualcomm", "", "workgroup 32x32x16/2x4", 57.0, 0, SMALL),
    known("apple", "Conv2dWeightGrad", "workgroup 16x16x16/1x4", 37.0, 0, TINY_KEPT),
    known("apple", "Conv2dWeightGrad", "workgroup 32x32x16/2x4", 51.0, 0, SMALL_KEPT),
    known("apple", "", "workgroup 16x16x16/1x4", 38.0, 0, TINY),
    known("apple", "", "workgroup 32x32x16/2x4", 52.0, 0, SMALL),
    known("nvidia", "Conv2dWeightGrad", "workgroup 64x128x16/4x8", 64.0, 0, MOVES),
    known("nvidia", "Conv2dWeightGrad", "workgroup", 69.0, 0, KEPT),
    known("nvidia", "Conv2d", "workgroup 128x64x16/8x4", 74.0, 0, KEPT),
    known("nvidia", "Conv2d", "workgroup 64x64x16/4x4", 71.0, 0, COMPUTED),
    known("intel", "Conv2d", "workgroup 64x64x16/4x4", 72.0, 0, INTEL),
    known("intel", "Conv2dWeightGrad", "workgroup 64x64x16/4x4", 63.0, 0, KEPT),
    known("intel", "Conv2dInputGrad", "workgroup 128x64x16/8x4", 75.0, 1, SPILLED),
    known("intel", "Conv2dWeightGrad", "workgroup 64x128x16/4x8", 69.0, 0, KEPT),
    known("intel", "Conv2dWeightGrad", "workgroup 128x64x16/8x4", 71.0, 0, KEPT),
    known("intel", "Conv2d", "workgroup 128x64x16/8x4", 72.0, 0, KEPT),
    known("intel", "Conv2dWeightGrad", "cooperative16by4 32x32x32/16x16", 75.0, 3, WIDE),
    known("intel", "Conv2dInputGrad", "cooperative16by4 32x32x32/16x16", 75.0, 13, WIDE),
    known("intel", "Conv2d", "cooperative16by4 32x32x32/16x16", 75.0, 1, WIDE),
    known("apple", "Conv2d", "workgroup 128x64x16/8x4", 71.0, 0, APPLE),
    known("apple", "Conv2dWeightGrad", "workgroup", 73.0, 0, KEPT),
    known("qualcomm", "Conv2d", "workgroup 128x64x16/8x4", 73.0, 0, COMPUTED),
    known("qualcomm", "Conv2dWeightGrad", "workgroup 64x128x16/4x8", 70.0, 0, KEPT),
    known("qualcomm-a740", "Conv2d operands", "", 75.0, 7, PIXELS),
];

/// What is wrong with a kernel on a chip; empty if nothing is.
pub fn faults(chip: &Chip, kernel: &Kernel, figures: &Figures) -> Vec<String> {
    let mut faults = vec![];
    if let Some(failed) = &figures.failed {
        faults.push(format!("not compiled: {failed}"));
    }
    if let Some(limit) = &kernel.limit {
        faults.push(limit.clone());
    }
    let spilled = exception(chip, kernel).map_or(0, |known| known.spilled);
    if figures.spilled > spilled {
        faults.push(format!("{} registers spilled", figures.spilled));
    }
    if figures.scratch > 0 && spilled == 0 {
        faults.push(format!("{} bytes of scratch", figures.scratch));
    }
    if let Some(share) = held_to_share(kernel).then(|| figures.share()).flatten() {
        let least = exception(chip, kernel).map_or(SHARE, |known| known.lowest);
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
pub fn exception(chip: &Chip, kernel: &Kernel) -> Option<&'static Known> {
    KNOWN.iter().find(|known| {
        chip.name.starts_with(known.chip)
            && (known.kind.is_empty() || known.kind == kernel.kind)
            && kernel.tile.as_ref().map_or(known.tile.is_empty(), |tile| tile.starts_with(known.tile))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(kind: &str, tile: &str) -> Kernel {
        Kernel {
            network: "step".into(),
            file: "0".into(),
            kind: kind.into(),
            shape: "1".into(),
            tile: Some(tile.into()),
            limit: None,
            bindings: 3,
            invocations: 256,
            workgroup_bytes: 0,
            members: vec![],
            spirv: "0.spv".into(),
            bytes: vec![],
        }
    }

    #[test]
    fn what_spills_or_multiplies_too_little_is_a_fault() -> anyhow::Result<()> {
        let chip = Chip::of("amd-rdna3")?;
        let good = Figures { multiply_adds: 75, arithmetic: 100, ..Figures::default() };
        let of = |figures: &Figures| faults(chip, &kernel("MatMul", "workgroup 128x64x16/8x4"), figures).len();
        assert_eq!(of(&good), 0);
        assert_eq!(of(&Figures { multiply_adds: 74, ..good.clone() }), 1);
        assert_eq!(of(&Figures { spilled: 1, scratch: 4, ..good.clone() }), 2);
        assert_eq!(of(&Figures { failed: Some("crash".into()), ..good.clone() }), 1);
        let cooperative = kernel("MatMul", "cooperative16 128x128x32/64x32");
        assert_eq!(faults(chip, &cooperative, &Figures { multiply_adds: 5, ..good }).len(), 0);
        Ok(())
    }
}
