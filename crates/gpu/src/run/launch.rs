//! How a dispatch is spread over a device: workgroups, and what they load and exchange. Counted from tile and shape, never measured.

use chiaro_graph::Launch;
use chiaro_graph::plan::{Product, Step};
use chiaro_shaders::{Memory, Tile};

use crate::kernels::{self, Dispatch, Part, Variants};

/// The launch of dispatch number `number` of a step; the size of its workgroups is filled in by whoever has parsed the kernel.
pub(crate) fn of(step: &Step, number: usize, dispatch: &Dispatch, variants: &Variants) -> Launch {
    let workgroups: u64 = dispatch.workgroups.iter().map(|&n| u64::from(n)).product();
    let plain = Launch { workgroups, loaded_bytes: read_bytes(step, dispatch), rounds: 1, ..Launch::default() };
    let product = match (dispatch.stage, number) {
        (Some(_), _) => dispatch.product,
        (None, 0) => step.kernel.product().zip(kernels::tile(step, variants)),
        // Later dispatches of a step add up what the first one left in parts.
        (None, _) => None,
    };
    product.map_or(plain.clone(), |(product, tile)| of_product(step, &tile, &product, plain))
}

fn of_product(step: &Step, tile: &Tile, product: &Product, plain: Launch) -> Launch {
    let tiles = product.m.div_ceil(tile.rows as usize) * product.n.div_ceil(tile.columns as usize) * product.batch;
    // The terms of a weight gradient are summed in parts.
    let parts = (plain.workgroups as usize / tiles.max(1)).max(1);
    let terms = product.k.div_ceil(parts) as u64;
    let (rows, columns) = (u64::from(tile.rows), u64::from(tile.columns));
    let (a, b) = (element_bytes(step, 0), element_bytes(step, 1));
    let shared: u64 = if matches!(tile.memory, Memory::Cooperative { .. }) { 2 } else { 4 };
    let pieces = (rows / u64::from(tile.thread_rows)) * (columns / u64::from(tile.thread_columns));
    let side = u64::from(tile.thread_rows + tile.thread_columns);
    let near = match tile.memory {
        Memory::Direct => pieces * side * a.max(b),
        // Written once, read by every thread or subgroup that multiplies it.
        Memory::Workgroup | Memory::Cooperative { .. } => (rows + columns + pieces * side) * shared,
    };
    Launch {
        tile: Some(tile.to_string()),
        invocations: tile.threads(),
        workgroup_bytes: tile.workgroup_bytes(),
        tile_flops: 2 * plain.workgroups * terms * rows * columns,
        near_bytes: plain.workgroups * terms * near,
        loaded_bytes: plain.workgroups * terms * (rows * a + columns * b),
        rounds: terms.div_ceil(u64::from(tile.depth)),
        matrix_units: matches!(tile.memory, Memory::Cooperative { .. }),
        ..plain
    }
}

/// Bytes that are loaded for an element of an input: those of all tensors of its size that it is computed from.
fn element_bytes(step: &Step, input: usize) -> u64 {
    let own = &step.operands[step.inputs[input]];
    let Some(load) = step.loads.get(input).and_then(Option::as_ref) else {
        return own.dtype.size() as u64;
    };
    let mut read = vec![false; step.operands.len()];
    load.program.loaded().for_each(|operand| read[operand] = true);
    let read = step.operands.iter().zip(read).filter(|(operand, read)| *read && operand.len == own.len);
    read.map(|(operand, _)| operand.dtype.size() as u64).sum::<u64>().max(own.dtype.size() as u64)
}

/// Bytes of what a dispatch only reads, each operand once.
fn read_bytes(step: &Step, dispatch: &Dispatch) -> u64 {
    let bytes = |part: &Part| match part {
        Part::Operand(i) if step.operands[*i].access == chiaro_graph::plan::Access::Write => 0,
        Part::Operand(i) => (step.operands[*i].len * step.operands[*i].dtype.size()) as u64,
        Part::Scratch => step.scratch.as_ref().map_or(0, |s| (s.len * s.dtype.size()) as u64),
        Part::Within { len, .. } => (*len * size_of::<f32>()) as u64,
    };
    dispatch.parts.iter().map(bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chiaro_graph::plan::Plan;
    use chiaro_graph::{ConvSpec, DType, Graph};

    fn launches(build: impl FnOnce(&mut Graph), choice: kernels::VariantChoice) -> Vec<Launch> {
        let mut g = Graph::new();
        build(&mut g);
        let variants = Variants::GPU.with(choice);
        let plan = Plan::new(&g, &kernels::plan_options(&Variants::GPU)).expect("a plan");
        let [step] = &plan.steps[..] else { panic!("one step, not {}", plan.steps.len()) };
        let made = kernels::dispatches(step, &variants).expect("kernels");
        made.iter().enumerate().map(|(i, dispatch)| of(step, i, dispatch, &variants)).collect()
    }

    fn input(g: &mut Graph, name: &str, shape: &[usize]) -> chiaro_graph::Var {
        g.input(name, shape, DType::F32).expect("an input")
    }

    #[test]
    fn a_product_loads_every_row_once_for_each_tile_of_columns() {
        let build = |g: &mut Graph| {
            let (a, b) = (input(g, "a", &[256, 512]), input(g, "b", &[512, 128]));
            let y = g.matmul(a, b, false, false).expect("fits");
            g.output("y", y).expect("new");
        };
        let choice = kernels::VariantChoice { tile: Some(Tile::MEDIUM), ..Default::default() };
        let all = launches(build, choice);
        let workgroups = 4 * 2;
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].workgroups, all[0].rounds, all[0].invocations), (workgroups, 512 / 16, 256));
        assert_eq!(all[0].loaded_bytes, workgroups * 512 * (64 + 64) * 4);
        assert_eq!(all[0].tile_flops, 2 * 256 * 512 * 128);
        // 256 threads read 4 and 4 elements a term, and the workgroup writes 64 and 64.
        assert_eq!(all[0].near_bytes, workgroups * 512 * (256 * 8 + 128) * 4);
        assert!(!all[0].matrix_units && all[0].tile.as_deref() == Some("workgroup 64x64x16/4x4"));
    }

    #[test]
    fn the_parts_of_a_weight_gradient_share_its_terms() {
        let build = |g: &mut Graph| {
            let (x, w, dy) =
                (input(g, "x", &[8, 16, 16, 32]), input(g, "w", &[32, 3, 3, 32]), input(g, "dy", &[8, 16, 16, 32]));
            let spec = ConvSpec { padding: [1; 4], ..ConvSpec::default() };
            let y = g.conv2d(x, w, &spec).expect("fits");
            let dw = g.grad(y, Some(dy), &[w]).expect("a gradient")[0];
            g.output("dw", dw).expect("new");
        };
        let of_parts = |parts| {
            launches(
                build,
                kernels::VariantChoice { tile: Some(Tile::SMALL), parts: Some(parts), ..Default::default() },
            )
        };
        let (one, four) = (of_parts(1), of_parts(4));
        assert_eq!((one.len(), four.len()), (1, 2));
        assert_eq!((four[0].workgroups, four[0].rounds), (4 * one[0].workgroups, one[0].rounds / 4));
        assert_eq!(four[0].loaded_bytes, one[0].loaded_bytes);
        assert!(four[1].tile.is_none() && four[1].near_bytes == 0, "the sum of the parts is no product");
    }
}
