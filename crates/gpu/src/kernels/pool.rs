//! Pooling and its gradients.

use chiaro_graph::AvgDivisor;
use chiaro_graph::plan::{PoolShape, Step};
use chiaro_shaders::kernels::{Divisor, Pool2d};
use chiaro_shaders::{Elem, ShaderError};

use super::{Dispatch, Variants, composed, extent, extents, input_elem, output_elem};
use crate::codegen::Composed;

pub(super) fn max(step: &Step, shape: &PoolShape, variants: &Variants) -> Result<Vec<Dispatch>, ShaderError> {
    Ok(vec![composed(step, pool(shape, input_elem(step, 0)?, variants)?.max_forward()?)?])
}

pub(super) fn max_index(step: &Step, shape: &PoolShape) -> Result<Vec<Dispatch>, ShaderError> {
    Ok(vec![composed(step, pool(shape, input_elem(step, 0)?, &Variants::GPU)?.max_index()?)?])
}

pub(super) fn max_grad(step: &Step, shape: &PoolShape, variants: &Variants) -> Result<Vec<Dispatch>, ShaderError> {
    let forward = pool(shape, input_elem(step, 0)?, variants)?;
    let pool = Pool2d { dy: input_elem(step, 2)?, dx: output_elem(step), ..forward };
    if !pool.has_taps() {
        return Ok(vec![composed(step, pool.max_grad()?)?]);
    }
    let taps = pool.max_taps()?;
    let taps = Dispatch::new(Composed::new(taps.source, vec![step.inputs[0]], &step.operands)?, taps.workgroups);
    // Image and result have been looked at.
    let rest = Step { inputs: vec![step.inputs[2]], loads: vec![], ..step.clone() };
    Ok(vec![taps, composed(&rest, pool.max_grad_by_taps()?)?])
}

/// 32-bit elements of scratch of a gradient: a tap for each window and channel, a byte each.
pub(super) fn scratch(shape: &PoolShape, variants: &Variants) -> usize {
    let taps = pool(shape, Elem::F32, variants).is_ok_and(|pool| pool.has_taps());
    if taps { shape.y.iter().product::<usize>() / 4 } else { 0 }
}

pub(super) fn average(
    step: &Step,
    shape: &PoolShape,
    by: AvgDivisor,
    variants: &Variants,
) -> Result<Vec<Dispatch>, ShaderError> {
    Ok(vec![composed(step, pool(shape, input_elem(step, 0)?, variants)?.average_forward(divisor(by)?)?)?])
}

pub(super) fn average_grad(
    step: &Step,
    shape: &PoolShape,
    by: AvgDivisor,
    variants: &Variants,
) -> Result<Vec<Dispatch>, ShaderError> {
    let forward = pool(shape, Elem::F32, variants)?;
    let pool = Pool2d { dy: input_elem(step, 0)?, dx: output_elem(step), ..forward };
    Ok(vec![composed(step, pool.average_grad(divisor(by)?)?)?])
}

fn pool(shape: &PoolShape, x: Elem, variants: &Variants) -> Result<Pool2d, ShaderError> {
    let [batch, height, width, channels] = extents(shape.x)?;
    Ok(Pool2d {
        batch,
        input: [height, width],
        channels,
        output: extents([shape.y[1], shape.y[2]])?,
        kernel: extents(shape.spec.kernel)?,
        stride: extents(shape.spec.stride)?,
        padding: extents(shape.spec.padding)?,
        dilation: extents(shape.spec.dilation)?,
        x,
        dy: x,
        dx: x,
        fours: !variants.software(),
    })
}

fn divisor(by: AvgDivisor) -> Result<Divisor, ShaderError> {
    Ok(match by {
        AvgDivisor::IncludePadding => Divisor::IncludePadding,
        AvgDivisor::ExcludePadding => Divisor::ExcludePadding,
        AvgDivisor::Fixed(n) => Divisor::Fixed(extent(n)?),
    })
}
