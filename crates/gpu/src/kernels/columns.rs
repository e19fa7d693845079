//! Reductions of columns behind matrix products and convolutions: parts from each tile, merged by a second dispatch.

use chiaro_graph::plan::{ColumnKind, Columns, Kernel, ProductKernel, Step};
use chiaro_shaders::{ColumnReduction, ShaderError};

use super::{Dispatch, Part, Variants, conv, gemm, spread};
use crate::codegen::{self, ColumnParts};

/// Can this kernel reduce columns of its results?
pub(crate) fn reduces_columns(kernel: &Kernel) -> bool {
    kernel.as_product().is_some_and(|product| match product {
        ProductKernel::MatMul(_) => true,
        ProductKernel::Conv2d(shape) | ProductKernel::InputGrad(shape) => !shape.is_depthwise(),
        ProductKernel::WeightGrad(_) => false,
    })
}

/// What the shader of a step is to reduce.
pub(crate) fn of(step: &Step) -> ColumnReduction {
    match &step.columns {
        None => ColumnReduction::None,
        Some(c) if c.results.iter().any(|r| r.1 == ColumnKind::Moments) => ColumnReduction::Moments,
        Some(c) => ColumnReduction::Sums(c.results.len() as u32),
    }
}

/// The dispatch of a kernel, and the one that merges what it reduced.
pub(super) fn with_merge(step: &Step, first: Dispatch, variants: &Variants) -> Result<Vec<Dispatch>, ShaderError> {
    let (Some(columns), Some(parts)) = (&step.columns, parts(&step.kernel, variants)) else {
        return Ok(vec![first]);
    };
    let second = merge(step, columns, &parts, Part::Scratch)?;
    Ok(vec![first, second])
}

/// The dispatch that merges what workgroups left of their columns in a part of scratch.
pub(super) fn merge(
    step: &Step,
    columns: &Columns,
    parts: &ColumnParts,
    scratch: Part,
) -> Result<Dispatch, ShaderError> {
    let merge = codegen::merge_columns(columns, parts, &step.operands);
    let workgroups = spread("merge_columns", merge.workgroups)?;
    let mut second = Dispatch::of_operands(merge.text, &merge.binds, workgroups);
    second.parts.push(scratch);
    Ok(second)
}

/// A tile of fewer rows than this, and than shapes alone suggest, is not chosen where columns are reduced.
const SHORTEST_TILE: usize = 32;

/// f32 elements of the parts of all columns, with room for those of shorter tiles that a search may find faster.
pub(super) fn scratch(kernel: &Kernel, columns: Option<&Columns>, variants: &Variants) -> usize {
    let (Some(columns), Some(parts)) = (columns, parts(kernel, variants)) else {
        return 0;
    };
    parts_len(columns, &parts).max(parts_len(columns, &ColumnParts { tile: SHORTEST_TILE, ..parts }))
}

/// f32 elements of the parts of all columns.
pub(super) fn parts_len(columns: &Columns, parts: &ColumnParts) -> usize {
    columns.values() * parts.count() * columns.program.domain.iter().product::<usize>()
}

fn parts(kernel: &Kernel, variants: &Variants) -> Option<ColumnParts> {
    let (rows, tile, phases) = match kernel.as_product()? {
        ProductKernel::MatMul(shape) => (shape.m, gemm::tile(shape, true, variants), shape.batch.iter().product()),
        ProductKernel::Conv2d(shape) => (shape.y[..3].iter().product(), conv::forward_tile(shape, variants), 1),
        ProductKernel::InputGrad(shape) => {
            (shape.phase_rows(), conv::input_grad_tile(shape, variants), shape.spec.stride.iter().product())
        }
        ProductKernel::WeightGrad(_) => return None,
    };
    Some(ColumnParts { rows, tile: tile.rows as usize, phases })
}
