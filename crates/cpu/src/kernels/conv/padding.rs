//! Inputs of few channels: padded in memory, so that all taps of a filter row are one run of floats.

use super::ConvExtents;
use crate::kernels::workspace::Aligned;
use rayon::prelude::*;

/// Channels up to which a filter row is one run instead of one tap a pixel.
const FEW: usize = 16; // measured: benches/kernels.rs

/// Pixels of padding that any image may get in memory, beside twice its own.
const MARGIN: usize = 1 << 14;

/// Whether a shape is better off with filter rows merged.
pub(crate) fn needs_merging(shape: &ConvExtents) -> bool {
    let few = shape.groups == 1 && shape.channels_in <= FEW && shape.dilation[1] == 1 && shape.taps() > 1;
    // Padding costs memory here, and a filter may ask for any amount of it. Kernels count elements in 32 bits.
    let [height, width] = padded_size(shape);
    let fits = height * width <= 2 * shape.height * shape.width + MARGIN
        && shape.batch.saturating_mul(height * width * shape.channels_in) < 1 << 31;
    few && fits
}

/// Height and width with the padding.
pub(crate) fn padded_size(shape: &ConvExtents) -> [usize; 2] {
    let [top, bottom, left, right] = shape.padding;
    [shape.height + top + bottom, shape.width + left + right]
}

/// The input with its padding as zeros in memory (`x` itself where there is none), and its height and width.
pub(crate) fn padded_input<'a>(shape: &ConvExtents, x: &'a [f32], buffer: &'a mut Aligned) -> (&'a [f32], [usize; 2]) {
    let size = padded_size(shape);
    if shape.padding == [0; 4] || x.is_empty() {
        return (x, size);
    }
    let line = shape.width * shape.channels_in;
    let padded_line = size[1] * shape.channels_in;
    let left = shape.padding[2] * shape.channels_in;
    let padded = buffer.grow(shape.batch * size[0] * padded_line);
    padded.par_chunks_mut(size[0] * padded_line).zip(x.par_chunks(shape.height * line)).for_each(|(padded, image)| {
        for (y, row) in padded.chunks_exact_mut(padded_line).enumerate() {
            let source = y.checked_sub(shape.padding[0]).filter(|&y| y < shape.height);
            match source {
                Some(y) => {
                    row[..left].fill(0.0);
                    row[left..left + line].copy_from_slice(&image[y * line..(y + 1) * line]);
                    row[left + line..].fill(0.0);
                }
                None => row.fill(0.0),
            }
        }
    });
    (padded, size)
}
