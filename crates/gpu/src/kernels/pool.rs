//! Pooling and its gradients.

use chiaro_graph::AvgDivisor;
use chiaro_graph::plan::{PoolShape, Step};
use chiaro_shaders::kernels::{Divisor, Pool2d};
use chiaro_shaders::{Elem, ShaderError};

use super::{Dispatch, composed, extent, extents, input_elem, output_elem};

pub(super) fn max(step: &Step, shape: &PoolShape) -> Result<Vec<Dispatch>, ShaderError> {
    Ok(vec![composed(step, pool(shape, input_elem(step, 0)?)?.max_forward()?)?])
}

pub(super) fn max_index(step: &Step, shape: &PoolShape) -> Result<Vec<Dispatch>, ShaderError> {
    Ok(vec![composed(step, pool(shape, input_elem(step, 0)?)?.max_index()?)?])
}

pub(super) fn max_grad(step: &Step, shape: &PoolShape) -> Result<Vec<Dispatch>, ShaderError> {
    let forward = pool(shape, input_elem(step, 0)?)?;
    Ok(vec![composed(step, Pool2d { dy: input_elem(step, 2)?, dx: output_elem(step), ..forward }.max_grad()?)?])
}

pub(super) fn average(step: &Step, shape: &PoolShape, by: AvgDivisor) -> Result<Vec<Dispatch>, ShaderError> {
    Ok(vec![composed(step, pool(shape, input_elem(step, 0)?)?.average_forward(divisor(by)?)?)?])
}

pub(super) fn average_grad(step: &Step, shape: &PoolShape, by: AvgDivisor) -> Result<Vec<Dispatch>, ShaderError> {
    let forward = pool(shape, Elem::F32)?;
    let pool = Pool2d { dy: input_elem(step, 0)?, dx: output_elem(step), ..forward };
    Ok(vec![composed(step, pool.average_grad(divisor(by)?)?)?])
}

fn pool(shape: &PoolShape, x: Elem) -> Result<Pool2d, ShaderError> {
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
    })
}

fn divisor(by: AvgDivisor) -> Result<Divisor, ShaderError> {
    Ok(match by {
        AvgDivisor::IncludePadding => Divisor::IncludePadding,
        AvgDivisor::ExcludePadding => Divisor::ExcludePadding,
        AvgDivisor::Fixed(n) => Divisor::Fixed(extent(n)?),
    })
}
