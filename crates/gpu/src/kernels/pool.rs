//! Pooling and its gradients.

use chiaro_graph::AvgDivisor;
use chiaro_graph::plan::{Kernel, PoolShape, Step};
use chiaro_shaders::kernels::{Divisor, Pool2d};
use chiaro_shaders::{Elem, ShaderError};

use super::{Dispatch, composed, extent, extents, input_elem, output_elem};

pub(super) fn dispatches(step: &Step) -> Result<Vec<Dispatch>, ShaderError> {
    let made = match &step.kernel {
        Kernel::MaxPool2d(shape) => pool(shape, input_elem(step, 0)?)?.max_forward()?,
        Kernel::MaxPool2dIndex(shape) => pool(shape, input_elem(step, 0)?)?.max_index()?,
        Kernel::MaxPool2dGrad(shape) => {
            let forward = pool(shape, input_elem(step, 0)?)?;
            Pool2d { dy: input_elem(step, 2)?, dx: output_elem(step), ..forward }.max_grad()?
        }
        Kernel::AvgPool2d(shape, by) => pool(shape, input_elem(step, 0)?)?.average_forward(divisor(*by)?)?,
        Kernel::AvgPool2dGrad(shape, by) => {
            let forward = pool(shape, Elem::F32)?;
            Pool2d { dy: input_elem(step, 0)?, dx: output_elem(step), ..forward }.average_grad(divisor(*by)?)?
        }
        other => return Err(ShaderError::UnknownShader(other.name())),
    };
    Ok(vec![composed(step, made)?])
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
