//! Kernels over the rows of a matrix: softmax, cross-entropy with its gradient, moments.

use chiaro_graph::plan::Step;
use chiaro_graph::{CrossEntropySpec, DType, MomentsAxis};
use chiaro_shaders::kernels::{CrossEntropy, Rows};
use chiaro_shaders::{Elem, ShaderError};

use super::{Dispatch, Part, composed, extent, input_elem, output_elem};
use crate::codegen::Composed;

pub(super) fn softmax(step: &Step, rows: usize, columns: usize, log: bool) -> Result<Vec<Dispatch>, ShaderError> {
    Ok(vec![composed(step, matrix(step, rows, columns)?.softmax(log)?)?])
}

pub(super) fn cross_entropy(
    step: &Step,
    [rows, classes]: [usize; 2],
    spec: &CrossEntropySpec,
    weighted: bool,
) -> Result<Vec<Dispatch>, ShaderError> {
    only_f32(step, &step.inputs[2..])?;
    Ok(vec![composed(step, matrix(step, rows, classes)?.cross_entropy(options(spec, weighted))?)?])
}

pub(super) fn cross_entropy_grad(
    step: &Step,
    [rows, classes]: [usize; 2],
    spec: &CrossEntropySpec,
    weighted: bool,
) -> Result<Vec<Dispatch>, ShaderError> {
    only_f32(step, &step.inputs[2..])?;
    Ok(vec![composed(step, matrix(step, rows, classes)?.cross_entropy_grad(options(spec, weighted))?)?])
}

fn options(spec: &CrossEntropySpec, weighted: bool) -> CrossEntropy {
    CrossEntropy { smoothing: spec.smoothing() as f32, ignore_index: spec.ignore_index, weighted }
}

pub(super) fn moments(
    step: &Step,
    axis: MomentsAxis,
    rows: usize,
    columns: usize,
) -> Result<Vec<Dispatch>, ShaderError> {
    only_f32(step, &[step.program.stores[0].operand])?;
    let matrix = matrix(step, rows, columns)?;
    if axis == MomentsAxis::Columns {
        return Ok(vec![composed(step, matrix.moments_of_rows()?)?]);
    }
    let kernel = matrix.moments_of_columns()?;
    if matrix.moment_parts() == 1 {
        return Ok(vec![composed(step, kernel)?]);
    }
    let first = Composed::new(kernel.source.scratch("y"), step.inputs.clone(), &step.operands)?;
    let first = Dispatch::new(first, kernel.workgroups);
    let merge = matrix.merge_moments()?;
    let wgsl = merge.source.build()?;
    let parts = vec![Part::Scratch, Part::Operand(step.program.stores[0].operand)];
    Ok(vec![first, Dispatch { parts, ..Dispatch::of_operands(wgsl, &[], merge.workgroups) }])
}

/// f32 elements of scratch: the moments of parts.
pub(super) fn scratch(axis: MomentsAxis, rows: usize, columns: usize) -> usize {
    let (Ok(n), Ok(c), MomentsAxis::Rows) = (extent(rows), extent(columns), axis) else {
        return 0;
    };
    match (Rows { rows: n, columns: c, x: Elem::F32, out: Elem::F32 }).moment_parts() {
        1 => 0,
        parts => parts as usize * 2 * columns,
    }
}

fn matrix(step: &Step, rows: usize, columns: usize) -> Result<Rows, ShaderError> {
    Ok(Rows { rows: extent(rows)?, columns: extent(columns)?, x: input_elem(step, 0)?, out: output_elem(step) })
}

/// These operands have one type in the shader.
fn only_f32(step: &Step, operands: &[usize]) -> Result<(), ShaderError> {
    match operands.iter().map(|&o| step.operands[o].dtype).find(|&d| d != DType::F32) {
        None => Ok(()),
        Some(dtype) => {
            Err(ShaderError::Invalid(format!("{}: {} takes f32 here, not {dtype}", step.label, step.kernel.name())))
        }
    }
}
