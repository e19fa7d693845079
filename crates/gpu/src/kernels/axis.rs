//! Kernels along one axis: the position of the largest, selection by index and its adjoints.

use chiaro_graph::ReduceKind;
use chiaro_graph::plan::{AxisShape, Kernel, Step};
use chiaro_shaders::ShaderError;
use chiaro_shaders::kernels::Axis;

use super::{Dispatch, composed, extent, input_elem, output_elem};
use crate::codegen::stored_type;

pub(super) fn dispatches(step: &Step) -> Result<Vec<Dispatch>, ShaderError> {
    let stored = || stored_type(step.operands[step.inputs[0]].dtype);
    let kernel = match &step.kernel {
        Kernel::ArgReduce(kind, shape) => axis(shape)?.arg_reduce(*kind == ReduceKind::Min, stored())?,
        Kernel::Gather(shape) => axis(shape)?.gather(stored())?,
        Kernel::IndexSelect(shape) => axis(shape)?.index_select(stored())?,
        Kernel::ScatterAdd(shape) => axis(shape)?.scatter_add(input_elem(step, 0)?, output_elem(step))?,
        Kernel::IndexAdd(shape) => axis(shape)?.index_add(input_elem(step, 0)?, output_elem(step))?,
        other => return Err(ShaderError::UnknownShader(other.name())),
    };
    Ok(vec![composed(step, kernel)?])
}

fn axis(shape: &AxisShape) -> Result<Axis, ShaderError> {
    Ok(Axis { outer: extent(shape.outer)?, n: extent(shape.n)?, inner: extent(shape.inner)?, m: extent(shape.m)? })
}
