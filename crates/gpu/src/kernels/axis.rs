//! Kernels along one axis: the position of the largest, selection by index and its adjoints.

use chiaro_graph::ReduceKind;
use chiaro_graph::plan::{AxisShape, Step};
use chiaro_shaders::kernels::{AlongAxis, ShaderKernel};
use chiaro_shaders::{Elem, ShaderError};

use super::{Dispatch, composed, extent, input_elem, output_elem};
use crate::codegen::stored_type;

pub(super) fn arg_reduce(step: &Step, kind: ReduceKind, shape: &AxisShape) -> Result<Vec<Dispatch>, ShaderError> {
    Ok(vec![composed(step, axis(shape)?.arg_reduce(kind == ReduceKind::Min, stored(step))?)?])
}

/// Selection by index, which copies elements of any type.
pub(super) fn picking(
    step: &Step,
    shape: &AxisShape,
    kernel: fn(&AlongAxis, &str) -> Result<ShaderKernel, ShaderError>,
) -> Result<Vec<Dispatch>, ShaderError> {
    Ok(vec![composed(step, kernel(&axis(shape)?, stored(step))?)?])
}

/// The adjoints of selection.
pub(super) fn adding(
    step: &Step,
    shape: &AxisShape,
    kernel: fn(&AlongAxis, Elem, Elem) -> Result<ShaderKernel, ShaderError>,
) -> Result<Vec<Dispatch>, ShaderError> {
    Ok(vec![composed(step, kernel(&axis(shape)?, input_elem(step, 0)?, output_elem(step))?)?])
}

/// How the first input lies in memory.
fn stored(step: &Step) -> &'static str {
    stored_type(step.operands[step.inputs[0]].dtype)
}

fn axis(shape: &AxisShape) -> Result<AlongAxis, ShaderError> {
    Ok(AlongAxis { outer: extent(shape.outer)?, n: extent(shape.n)?, inner: extent(shape.inner)?, m: extent(shape.m)? })
}
