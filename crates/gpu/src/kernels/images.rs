//! Images made of packed pixels.

use chiaro_graph::plan::{ImagesShape, Step};
use chiaro_shaders::ShaderError;
use chiaro_shaders::kernels::LoadImages;

use super::{Dispatch, composed, extents, output_elem};

pub(super) fn dispatches(step: &Step, shape: &ImagesShape) -> Result<Vec<Dispatch>, ShaderError> {
    let [stored, batch, height, width, channels] =
        extents([shape.stored, shape.y[0], shape.y[1], shape.y[2], shape.y[3]])?;
    let images = LoadImages { stored, batch, size: [height, width], channels, out: output_elem(step) };
    Ok(vec![composed(step, images.kernel()?)?])
}
