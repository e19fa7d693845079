//! The sizes of a pooling as the kernels want them.

use crate::kernels;
use chiaro_graph::plan::PoolShape;

/// The shape as the kernels want it.
pub(crate) fn sizes(shape: &PoolShape) -> kernels::PoolExtents {
    let [batch, height, width, channels] = shape.x;
    let spec = &shape.spec;
    kernels::PoolExtents {
        batch,
        height,
        width,
        channels,
        out: [shape.y[1], shape.y[2]],
        kernel: spec.kernel,
        stride: spec.stride,
        padding: spec.padding,
        dilation: spec.dilation,
    }
}
