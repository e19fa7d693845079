//! Pointwise kernels: generated whole.

use chiaro_graph::plan::Step;
use chiaro_shaders::ShaderError;

use super::{Dispatch, spread};
use crate::codegen;

pub(super) fn dispatches(step: &Step) -> Result<Vec<Dispatch>, ShaderError> {
    let made = codegen::pointwise(&step.program, &step.operands);
    Ok(vec![Dispatch::of_operands(made.text, &made.binds, spread("pointwise", made.workgroups)?)])
}
