//! Winograd's F(4x4, 3x3) for 3x3 filters of stride 1: 36 products for 4x4 outputs instead of 144 (Lavin and Gray 2015).
//! Each tile of 6x6 inputs is transformed, its 36 positions are multiplied as matrices, and 4x4 outputs come back.

mod filters;
mod forward;
mod gradient;
mod lines;
mod output;
mod tiles;

pub(crate) use filters::{FilterPanel, are_stored, panel_len};
pub(crate) use forward::run;
pub(crate) use gradient::run as run_gradient;
pub(crate) use lines::{LANES, POSITIONS, padded};

use super::ConvExtents;
use lines::{HALF, OUT};

/// Fewest channels for which the transforms pay.
const LEAST_CHANNELS: usize = 24; // measured: benches/kernels.rs
/// Bytes of transformed tiles that are in work at a time when they do not fit a core's cache.
const CHUNK_BYTES: usize = 10 << 20;

/// Whether the transform applies to a shape and pays.
pub(crate) fn suits(shape: &ConvExtents) -> bool {
    let fits = |c: usize| c >= LEAST_CHANNELS && c.is_multiple_of(HALF);
    (shape.kernel, shape.stride, shape.dilation, shape.groups) == ([3; 2], [1; 2], [1; 2], 1)
        && shape.padding.iter().all(|&p| p <= 2)
        && fits(shape.channels_in)
        && fits(shape.channels_out)
        && shape.out_height().min(shape.out_width()) >= OUT - 1
}
