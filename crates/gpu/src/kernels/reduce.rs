//! Reductions: generated whole, in two passes where few long ones are split.

use chiaro_graph::ReduceKind;
use chiaro_graph::plan::{Program, Reg, Step};
use chiaro_graph::shape::count;
use chiaro_shaders::ShaderError;

use super::{Dispatch, Part, Variants, spread};
use crate::codegen;

pub(super) fn dispatches(
    step: &Step,
    prologue: &Program,
    kept: usize,
    results: &[(Reg, ReduceKind)],
    variants: &Variants,
) -> Result<Vec<Dispatch>, ShaderError> {
    let threads = variants.reduce_threads();
    let passes = codegen::reduce(prologue, kept, results, &step.program, &step.operands, threads);
    let dispatch = |pass: codegen::ReducePass| {
        let workgroups = spread("reduce", pass.workgroups)?;
        let mut dispatch = Dispatch::of_operands(pass.text, &pass.binds, workgroups);
        if pass.scratch {
            dispatch.parts.push(Part::Scratch);
        }
        Ok(dispatch)
    };
    passes.into_iter().map(dispatch).collect()
}

/// f32 elements of scratch: the partial results.
pub(super) fn scratch(prologue: &Program, kept: usize, results: usize) -> usize {
    let (k, r) = (count(&prologue.domain[..kept]), count(&prologue.domain[kept..]));
    match codegen::most_parts(k, r) {
        1 => 0,
        parts => results * k * parts,
    }
}
