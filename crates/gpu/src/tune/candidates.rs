//! The variants that a search tries for a step.

use chiaro_graph::plan::{Kernel, Product, Step};
use chiaro_shaders::{Memory, Tile};

use crate::AdapterLimits;
use crate::kernels::{self, VariantChoice, Variants};

/// The variant that every device runs right and compiles soon: no subgroups, few registers, a term at a time, and no workgroup
/// memory but for reductions of columns.
pub(super) fn portable(step: &Step, base: &Variants) -> VariantChoice {
    // What shapes suggest to software devices is that already.
    if base.software() {
        return VariantChoice::default();
    }
    let tile = match step.columns {
        Some(_) => Tile::TINY,
        None => Tile::new(Memory::Direct, [16, 32, 1], [4, 4]),
    };
    VariantChoice { tile: Some(tile), parts: None, threads: Some(64) }
}

/// What to try for a step, the most promising first. `cooperative` are the tiles that may be trusted.
pub(super) fn of(step: &Step, base: &Variants, limits: &AdapterLimits, cooperative: &[Tile]) -> Vec<VariantChoice> {
    if let Kernel::Reduce { .. } = &step.kernel {
        let fits = |threads: &u32| *threads <= limits.workgroup_invocations;
        let all = [64, 128, 256, 512].into_iter().filter(fits);
        return all.map(|threads| VariantChoice { threads: Some(threads), ..VariantChoice::default() }).collect();
    }
    // A kernel without a tile, a depthwise convolution, has one variant.
    let Some(product) = step.kernel.product().filter(|_| kernels::tile(step, base).is_some()) else { return vec![] };
    let reduced = kernels::reduced_columns(step);
    let tiles =
        tiles(product, base, limits, cooperative).filter(|tile| tile.reduces(reduced) || step.columns.is_none());
    tiles.map(|tile| VariantChoice { tile: Some(tile), ..VariantChoice::default() }).collect()
}

/// In how many parts the terms of a weight gradient or product may be summed. Scratch is planned for as many as shapes suggest: fewer are
/// tried, more are not.
pub(super) fn splits(step: &Step) -> Vec<VariantChoice> {
    let (Kernel::Conv2dWeightGrad(_) | Kernel::MatMul(_)) = &step.kernel else { return vec![] };
    [1, 2, 4, 16, 64].map(|parts| VariantChoice { parts: Some(parts), ..VariantChoice::default() }).to_vec()
}

/// Whether a search could find a choice for a step, were it the fastest.
pub(super) fn include(
    step: &Step,
    base: &Variants,
    limits: &AdapterLimits,
    cooperative: &[Tile],
    choice: VariantChoice,
) -> bool {
    let whole = VariantChoice { parts: None, ..choice };
    let tile = whole == VariantChoice::default()
        || whole == portable(step, base)
        || of(step, base, limits, cooperative).contains(&whole);
    tile && (choice.parts.is_none() || splits(step).iter().any(|split| split.parts == choice.parts))
}

/// The tiles that the adapter can run and that are not mostly outside of the result.
fn tiles<'a>(
    Product { m, n, .. }: Product,
    base: &'a Variants,
    limits: &'a AdapterLimits,
    cooperative: &'a [Tile],
) -> impl Iterator<Item = Tile> + 'a {
    let runs = |tile: &Tile| {
        tile.workgroup_bytes() <= limits.workgroup_bytes && tile.threads() <= limits.workgroup_invocations
    };
    let suits = move |tile: &Tile| {
        let half = |tile: u32, extent: usize| tile as usize / 2 < extent || tile <= 32;
        half(tile.rows, m) && half(tile.columns, n)
    };
    // Workgroup memory is ordinary memory on a software device, and whatever is unrolled takes it seconds to compile, which are
    // nine tenths of a search there. Measured: ResNet-18 on llvmpipe; terms four at a time won 5 of 39 kernels, by little.
    let kind = |tile: &Tile| !base.software() || (tile.memory == Memory::Direct && tile.depth == 1);
    cooperative.iter().chain(&Tile::ALL).copied().filter(move |tile| {
        let trusted = matches!(tile.memory, Memory::Cooperative { .. }) || kind(tile);
        trusted && runs(tile) && suits(tile)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chiaro_graph::plan::Plan;
    use chiaro_graph::{ConvSpec, DType, Graph};

    /// A convolution of 16-bit images that reduces the moments of its results.
    fn step() -> Step {
        let mut g = Graph::new();
        let x = g.input("x", &[8, 16, 16, 64], DType::F16).expect("an input");
        let w = g.input("w", &[64, 3, 3, 64], DType::F16).expect("an input");
        let scale = g.input("scale", &[64], DType::F32).expect("an input");
        let y = g.conv2d(x, w, &ConvSpec { padding: [1; 4], ..ConvSpec::default() }).expect("fits");
        let (y, _) = g.batch_norm(y, scale, scale, 1e-5).expect("fits");
        g.output("y", y).expect("new");
        let plan = Plan::new(&g, &kernels::plan_options(&Variants::GPU)).expect("a plan");
        plan.steps.into_iter().find(|s| s.columns.is_some()).expect("the convolution reduces columns")
    }

    #[test]
    fn every_candidate_of_a_step_that_reduces_columns_can_be_made() {
        let limits = AdapterLimits {
            buffer_bytes: 1 << 30,
            binding_bytes: 1 << 27,
            storage_buffers: 8,
            binding_alignment: 256,
            workgroup_invocations: 1024,
            workgroup_size: [1024; 3],
            workgroup_bytes: 32 << 10,
            workgroups_per_dimension: 65535,
            immediate_bytes: 0,
        };
        let step = step();
        let all = of(&step, &Variants::GPU, &limits, &Tile::COOPERATIVE);
        let cooperative = |c: &&VariantChoice| c.tile.is_some_and(|t| matches!(t.memory, Memory::Cooperative { .. }));
        assert!(all.iter().any(|c| cooperative(&c)) && !all.iter().all(|c| cooperative(&c)), "{all:?}");
        for choice in all.into_iter().chain([portable(&step, &Variants::GPU)]) {
            let made =
                kernels::dispatches(&step, &Variants::GPU.with(choice)).unwrap_or_else(|e| panic!("{choice:?}: {e}"));
            assert_eq!(made.len(), 2, "{choice:?}");
        }
    }
}
