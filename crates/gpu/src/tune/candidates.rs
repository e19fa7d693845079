//! The variants that a search tries for a step.

use chiaro_graph::plan::{Kernel, Step};
use chiaro_shaders::{Memory, Tile};

use crate::AdapterLimits;
use crate::kernels::{Choice, Variants};

/// The variant that every device runs right: no workgroup memory, no subgroups, few registers.
pub(super) const PORTABLE: Choice =
    Choice { tile: Some(Tile::new(Memory::Direct, [16, 32, 4], [4, 4])), parts: None, threads: Some(64) };

/// What to try for a step, the most promising first. `cooperative` are the tiles that may be trusted.
pub(super) fn of(step: &Step, base: &Variants, limits: &AdapterLimits, cooperative: &[Tile]) -> Vec<Choice> {
    let tiles = |extents: Option<[usize; 2]>| tiles(extents, base, limits, cooperative);
    let of_tile = |tile: Tile| Choice { tile: Some(tile), ..Choice::default() };
    match &step.kernel {
        Kernel::MatMul(shape) => tiles(Some([shape.m, shape.n])).map(of_tile).collect(),
        Kernel::Conv2d(shape) if shape.spec.groups == shape.x[3] && shape.x[3] > 1 => vec![],
        Kernel::Conv2d(shape) => {
            tiles(Some([shape.y[..3].iter().product(), shape.w[0] / shape.spec.groups])).map(of_tile).collect()
        }
        Kernel::Conv2dInputGrad(shape) => {
            tiles(Some([shape.x[..3].iter().product(), shape.w[3]])).map(of_tile).collect()
        }
        // Scratch is planned for as many parts as shapes suggest: fewer are tried, more are not.
        Kernel::Conv2dWeightGrad(shape) => {
            let extents = [shape.w[0] / shape.spec.groups, shape.w[1..].iter().product()];
            let parts = [None, Some(1), Some(4), Some(16)];
            tiles(Some(extents)).flat_map(|tile| parts.map(|parts| Choice { parts, ..of_tile(tile) })).collect()
        }
        Kernel::Reduce { .. } => {
            let fits = |threads: &u32| *threads <= limits.workgroup_invocations;
            let all = [64, 128, 256, 512].into_iter().filter(fits);
            all.map(|threads| Choice { threads: Some(threads), ..Choice::default() }).collect()
        }
        _ => vec![],
    }
}

/// The tiles that the adapter can run and that are not mostly outside of the result.
fn tiles<'a>(
    extents: Option<[usize; 2]>,
    base: &'a Variants,
    limits: &'a AdapterLimits,
    cooperative: &'a [Tile],
) -> impl Iterator<Item = Tile> + 'a {
    let runs = |tile: &Tile| {
        tile.workgroup_bytes() <= limits.workgroup_bytes && tile.threads() <= limits.workgroup_invocations
    };
    let suits = move |tile: &Tile| {
        let [m, n] = extents.unwrap_or([usize::MAX; 2]);
        let half = |tile: u32, extent: usize| tile as usize / 2 < extent || tile <= 32;
        half(tile.rows, m) && half(tile.columns, n)
    };
    // Workgroup memory is ordinary memory on a software device, and a large tile takes it seconds to compile.
    let kind = |tile: &Tile| !base.software() || tile.memory == Memory::Direct;
    cooperative.iter().chain(&Tile::ALL).copied().filter(move |tile| {
        let trusted = matches!(tile.memory, Memory::Cooperative { .. }) || kind(tile);
        trusted && runs(tile) && suits(tile)
    })
}
