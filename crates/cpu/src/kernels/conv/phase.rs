//! The sums that a convolution consists of: which input pixels each output pixel of a phase adds up, and by which filter taps.

use super::ConvExtents;

/// Output pixels `start + step * (0..grid)` of an image, each the sum over `taps` of input pixel `grid * stride + tap`.
#[derive(Debug)]
pub(crate) struct Phase {
    pub(crate) grid: [usize; 2],
    pub(super) start: [usize; 2],
    pub(super) step: [usize; 2],
    pub(super) stride: [usize; 2],
    /// Vertical and horizontal offset of each tap from `grid * stride`, in input pixels.
    pub(super) taps: Vec<[isize; 2]>,
    /// Which filter tap each is, for packing.
    pub(crate) sources: Vec<usize>,
}

/// The one phase of a forward convolution.
pub(crate) fn forward_phase(shape: &ConvExtents) -> Phase {
    let taps = (0..shape.taps()).map(|t| {
        let at = [t / shape.kernel[1], t % shape.kernel[1]];
        [0, 1].map(|i| (at[i] * shape.dilation[i]) as isize - shape.padding[2 * i] as isize)
    });
    Phase {
        grid: [shape.out_height(), shape.out_width()],
        start: [0; 2],
        step: [1; 2],
        stride: shape.stride,
        taps: taps.collect(),
        sources: (0..shape.taps()).collect(),
    }
}

/// Stands for the transformed filters of Winograd's method, which are packed like the taps of a phase.
pub(crate) fn winograd_phase() -> Phase {
    Phase {
        grid: [0; 2],
        start: [0; 2],
        step: [1; 2],
        stride: [1; 2],
        taps: Vec::new(),
        sources: (0..super::winograd::POSITIONS).collect(),
    }
}

/// A forward convolution over a padded input whose filter rows are one tap each.
pub(crate) fn merged_phase(shape: &ConvExtents) -> Phase {
    Phase {
        grid: [shape.out_height(), shape.out_width()],
        start: [0; 2],
        step: [1; 2],
        stride: shape.stride,
        taps: (0..shape.kernel[0]).map(|t| [(t * shape.dilation[0]) as isize, 0]).collect(),
        sources: (0..shape.kernel[0]).collect(),
    }
}

/// For each residue of the stride, the input pixels that have it: they see their own subset of the taps.
pub(crate) fn gradient_phases(shape: &ConvExtents) -> Vec<Phase> {
    let size = [shape.height, shape.width];
    let mut phases = Vec::new();
    for py in 0..shape.stride[0].min(size[0]) {
        for px in 0..shape.stride[1].min(size[1]) {
            let start = [py, px];
            let (mut taps, mut sources) = (Vec::new(), Vec::new());
            for t in 0..shape.taps() {
                let at = [t / shape.kernel[1], t % shape.kernel[1]];
                // Input row y was read by output row (y + padding - tap * dilation) / stride.
                let above =
                    [0, 1].map(|i| (start[i] + shape.padding[2 * i]) as isize - (at[i] * shape.dilation[i]) as isize);
                let stride = shape.stride.map(|s| s as isize);
                if (0..2).all(|i| above[i].rem_euclid(stride[i]) == 0) {
                    taps.push([0, 1].map(|i| above[i].div_euclid(stride[i])));
                    sources.push(t);
                }
            }
            phases.push(Phase {
                grid: [0, 1].map(|i| (size[i] - start[i]).div_ceil(shape.stride[i])),
                start,
                step: shape.stride,
                stride: [1; 2],
                taps,
                sources,
            });
        }
    }
    phases
}
