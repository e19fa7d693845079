//! Convolutions in their three directions.

use chiaro_graph::plan::{ConvShape, Kernel, ProductKernel, Step};
use chiaro_shaders::dispatch::ELEMENT_WORKGROUP;
use chiaro_shaders::kernels::Conv2d;
use chiaro_shaders::{ColumnReduction, Elem, ShaderError, Tile};

use super::{Dispatch, Variants, columns, composed, extent, extents, input_elem, output_elem, split};

pub(super) fn forward(step: &Step, shape: &ConvShape, variants: &Variants) -> Result<Vec<Dispatch>, ShaderError> {
    let (x, w, y) = (input_elem(step, 0)?, input_elem(step, 1)?, output_elem(step));
    let conv = Conv2d { x, w, y, columns: columns::of(step), keeps: keeps(step, 0), ..conv(shape, variants)? };
    let tile = forward_tile(shape, variants);
    columns::with_merge(step, composed(step, conv.forward(&tile)?)?, variants)
}

pub(super) fn input_grad(step: &Step, shape: &ConvShape, variants: &Variants) -> Result<Vec<Dispatch>, ShaderError> {
    let (y, w, dx) = (input_elem(step, 0)?, input_elem(step, 1)?, output_elem(step));
    let conv = Conv2d { y, w, dx, columns: columns::of(step), ..conv(shape, variants)? };
    let tile = input_grad_tile(shape, variants);
    columns::with_merge(step, composed(step, conv.input_grad(&tile)?)?, variants)
}

/// May a kernel compute its input of this number as it reads it? Images and their gradients, not weights.
pub(super) fn computes_input(kernel: &Kernel, input: usize) -> bool {
    kernel.as_product().is_some_and(|product| match product {
        ProductKernel::MatMul(_) => false,
        ProductKernel::Conv2d(shape) | ProductKernel::InputGrad(shape) => input == 0 && !shape.is_depthwise(),
        ProductKernel::WeightGrad(shape) => !shape.is_depthwise(),
    })
}

/// May a kernel also store such an input? A weight gradient that of the result, each element of which is one term's; a forward pass its image,
/// where each pixel is read at one of the taps that are counted as its own.
pub(super) fn keeps_input(kernel: &Kernel, input: usize) -> bool {
    kernel.as_product().is_some_and(|product| match product {
        ProductKernel::MatMul(_) | ProductKernel::InputGrad(_) => false,
        ProductKernel::WeightGrad(shape) => input == 1 && !shape.is_depthwise(),
        ProductKernel::Conv2d(shape) => {
            // Transformed ones keep the inner pixels of their tiles.
            let stretched = shape.spec.stride == [1, 1] && shape.w[1..3] == [3, 3] && shape.spec.padding != [1; 4];
            let owned = extents([shape.y[1], shape.y[2]]).and_then(|out| Ok((conv(shape, &Variants::GPU)?, out)));
            input == 0 && !stretched && owned.is_ok_and(|(conv, out)| conv.keeps_input(out))
        }
    })
}

/// Whether a step stores an input that it computes.
pub(super) fn keeps(step: &Step, input: usize) -> bool {
    step.loads.get(input).and_then(Option::as_ref).is_some_and(|load| !load.program.stores.is_empty())
}

/// The tile of a forward pass.
pub(super) fn forward_tile(shape: &ConvShape, variants: &Variants) -> Tile {
    variants.tile(shape.forward_product())
}

/// The tile of an input gradient.
pub(super) fn input_grad_tile(shape: &ConvShape, variants: &Variants) -> Tile {
    variants.tile(shape.input_grad_product())
}

pub(super) fn weight_grad(step: &Step, shape: &ConvShape, variants: &Variants) -> Result<Vec<Dispatch>, ShaderError> {
    let [x, y] = [input_elem(step, 0)?, input_elem(step, 1)?];
    let conv = Conv2d { x, y, keeps: keeps(step, 1), ..conv(shape, variants)? };
    let (tile, wanted) = split(shape, variants);
    let parts = conv.weight_grad_parts(&tile, wanted)?;
    let kernel = conv.weight_grad(&tile, wanted)?;
    if parts == 1 && output_elem(step) == Elem::F32 {
        return Ok(vec![composed(step, kernel)?]);
    }
    split::dispatches(step, kernel, parts, extent(shape.w.iter().product())?)
}

/// f32 elements of scratch of a weight gradient: its parts.
pub(super) fn scratch(shape: &ConvShape, variants: &Variants) -> usize {
    // One part is written to the result itself if that is f32, which a kernel's shape does not tell.
    split(shape, variants).1 as usize * shape.w.iter().product::<usize>()
}

/// The tile of a weight gradient.
pub(super) fn weight_grad_tile(shape: &ConvShape, variants: &Variants) -> Tile {
    split(shape, variants).0
}

/// The tile, and the parts in which terms are summed: at most as many as without any choice, since scratch is planned so.
fn split(shape: &ConvShape, variants: &Variants) -> (Tile, u32) {
    let product = shape.weight_grad_product();
    let of = |variants: &Variants| {
        let (tile, tiles) = split::tile(product, variants);
        // Depthwise kernels know no tiles: a thread has a tap of a channel, or strips of four channels.
        let elements = shape.w.iter().product::<usize>();
        let by_strips = || conv(shape, variants).ok()?.weight_grad_workgroups();
        let by_taps = || elements.div_ceil(ELEMENT_WORKGROUP as usize);
        let (used, workgroups) = match shape.is_depthwise() {
            true => (Tile::TINY, by_strips().map_or_else(by_taps, |groups| groups as usize)),
            false => (tile, tiles),
        };
        (tile, variants.weight_grad_parts(&used, workgroups, product.k) as u32)
    };
    let (tile, parts) = of(variants);
    (tile, parts.min(of(&variants.plain()).1))
}

fn conv(shape: &ConvShape, variants: &Variants) -> Result<Conv2d, ShaderError> {
    let spec = &shape.spec;
    let [batch, height, width, in_channels] = extents(shape.x)?;
    let [out_channels, kernel_h, kernel_w, _] = extents(shape.w)?;
    let [top, bottom, left, right] = extents(spec.padding)?;
    Ok(Conv2d {
        batch,
        input: [height, width],
        in_channels,
        out_channels,
        kernel: [kernel_h, kernel_w],
        stride: extents(spec.stride)?,
        padding: [[top, bottom], [left, right]],
        dilation: extents(spec.dilation)?,
        groups: extent(spec.groups)?,
        out: Some(extents([shape.y[1], shape.y[2]])?),
        x: Elem::F32,
        w: Elem::F32,
        y: Elem::F32,
        dx: Elem::F32,
        columns: ColumnReduction::None,
        keeps: false,
        fours: !variants.software(),
    })
}
