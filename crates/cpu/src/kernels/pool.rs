//! The sizes of a pooling over channels-last images, and average pooling, forward and backward, in vectors along the channels.

use super::Workspace;
use crate::raw::simd::Vectorize;
use rayon::prelude::*;

/// Sizes of a pooling from `[batch, height, width, channels]` to `[batch, out[0], out[1], channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PoolExtents {
    /// Images.
    pub batch: usize,
    /// Rows of an input image.
    pub height: usize,
    /// Pixels of an input row.
    pub width: usize,
    /// Channels.
    pub channels: usize,
    /// Rows and columns of the output.
    pub out: [usize; 2],
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Vertical and horizontal step of the window.
    pub stride: [usize; 2],
    /// Padding at the top and at the left; what a window has beyond the image counts for nothing.
    pub padding: [usize; 2],
    /// Vertical and horizontal distance of the window's positions.
    pub dilation: [usize; 2],
}

/// First position and number of the taps inside an image along one axis, in steps of the dilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taps {
    pub(crate) first: usize,
    pub(crate) count: usize,
    pub(crate) step: usize,
}

impl Taps {
    /// The positions.
    pub(crate) fn positions(self) -> impl Iterator<Item = usize> + Clone {
        (0..self.count).map(move |k| self.first + k * self.step)
    }
}

impl PoolExtents {
    /// Floats of the input.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.batch * self.height * self.width * self.channels
    }

    /// Floats of the output.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.batch * self.out[0] * self.out[1] * self.channels
    }

    pub(super) fn image(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// The taps of the windows at output position `o` of an axis (0 rows, 1 columns) that lie in the image.
    #[inline(always)]
    pub(crate) fn taps(&self, axis: usize, o: usize) -> Taps {
        let (step, start, padding) = (self.dilation[axis].max(1), o * self.stride[axis], self.padding[axis]);
        let skipped = padding.saturating_sub(start).div_ceil(step);
        let first = start + skipped * step - padding.min(start + skipped * step);
        let room = [self.height, self.width][axis].saturating_sub(first).div_ceil(step);
        Taps { first, count: self.kernel[axis].saturating_sub(skipped).min(room), step }
    }

    pub(super) fn line(&self) -> usize {
        self.out[1] * self.channels
    }

    /// Offsets in an image of the positions under the window of output pixel (oy, ox), row by row.
    #[inline(always)]
    fn window(&self, oy: usize, ox: usize) -> impl Iterator<Item = usize> + use<> {
        let shape = *self;
        let at = move |axis: usize, o: usize, k: usize, size: usize| {
            (o * shape.stride[axis] + k * shape.dilation[axis]).checked_sub(shape.padding[axis]).filter(|&i| i < size)
        };
        (0..shape.kernel[0]).filter_map(move |k| at(0, oy, k, shape.height)).flat_map(move |y| {
            (0..shape.kernel[1])
                .filter_map(move |k| at(1, ox, k, shape.width))
                .map(move |x| (y * shape.width + x) * shape.channels)
        })
    }
}

/// `y = sum of the window / divisor(oy, ox, positions inside the image)`.
pub fn avg_pool2d(
    workspace: &mut Workspace,
    shape: &PoolExtents,
    x: &[f32],
    y: &mut [f32],
    divisor: &(dyn Fn(usize, usize, usize) -> f32 + Sync),
) {
    check(shape, x, y);
    let level = workspace.level();
    each_line(shape, y, |image, oy, y| {
        let x = &x[image * shape.image()..][..shape.image()];
        level.vectorize(AverageLine { shape, x, oy, y, divisor });
    });
}

/// `dx`: each `dy / divisor` is added to every position of its window.
pub fn avg_pool2d_gradient(
    workspace: &mut Workspace,
    shape: &PoolExtents,
    dy: &[f32],
    dx: &mut [f32],
    divisor: &(dyn Fn(usize, usize, usize) -> f32 + Sync),
) {
    check(shape, dx, dy);
    let level = workspace.level();
    each_image(shape, dx, |image, dx| {
        let len = shape.out[0] * shape.line();
        dx.fill(0.0);
        level.vectorize(AverageGradient { shape, dy: &dy[image * len..][..len], dx, divisor });
    });
}

pub(super) fn check(shape: &PoolExtents, input: &[f32], output: &[f32]) {
    assert_eq!(input.len(), shape.input_len());
    assert_eq!(output.len(), shape.output_len());
}

pub(super) fn each_line(shape: &PoolExtents, y: &mut [f32], task: impl Fn(usize, usize, &mut [f32]) + Sync) {
    if !y.is_empty() {
        y.par_chunks_mut(shape.line()).enumerate().for_each(|(line, y)| {
            task(line / shape.out[0], line % shape.out[0], y);
        });
    }
}

pub(super) fn each_image(shape: &PoolExtents, dx: &mut [f32], task: impl Fn(usize, &mut [f32]) + Sync) {
    if !dx.is_empty() {
        dx.par_chunks_mut(shape.image()).enumerate().for_each(|(image, dx)| task(image, dx));
    }
}

struct AverageLine<'a> {
    shape: &'a PoolExtents,
    x: &'a [f32],
    oy: usize,
    y: &'a mut [f32],
    divisor: &'a (dyn Fn(usize, usize, usize) -> f32 + Sync),
}

impl Vectorize for AverageLine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (ox, y) in self.y.chunks_exact_mut(self.shape.channels).enumerate() {
            y.fill(0.0);
            let mut count = 0;
            for at in self.shape.window(self.oy, ox) {
                y.iter_mut().zip(&self.x[at..]).for_each(|(y, x)| *y += x);
                count += 1;
            }
            let divisor = (self.divisor)(self.oy, ox, count);
            y.iter_mut().for_each(|y| *y /= divisor);
        }
    }
}

struct AverageGradient<'a> {
    shape: &'a PoolExtents,
    dy: &'a [f32],
    dx: &'a mut [f32],
    divisor: &'a (dyn Fn(usize, usize, usize) -> f32 + Sync),
}

impl Vectorize for AverageGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (pixel, dy) in self.dy.chunks_exact(self.shape.channels).enumerate() {
            let (oy, ox) = (pixel / self.shape.out[1], pixel % self.shape.out[1]);
            let divisor = (self.divisor)(oy, ox, self.shape.window(oy, ox).count());
            for at in self.shape.window(oy, ox) {
                self.dx[at..].iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy / divisor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_are_those_inside_the_image() {
        for (padding, dilation, stride, kernel) in [(0, 1, 2, 2), (1, 1, 2, 3), (1, 2, 1, 3), (2, 3, 3, 4)] {
            for extent in 3..9 {
                let shape = PoolExtents {
                    batch: 1,
                    height: extent,
                    width: extent,
                    channels: 1,
                    out: [4; 2],
                    kernel: [kernel; 2],
                    stride: [stride; 2],
                    padding: [padding; 2],
                    dilation: [dilation; 2],
                };
                for o in 0..4 {
                    let want: Vec<usize> = (0..kernel)
                        .filter_map(|k| (o * stride + k * dilation).checked_sub(padding))
                        .filter(|&i| i < extent)
                        .collect();
                    let taps: Vec<usize> = shape.taps(0, o).positions().collect();
                    assert_eq!(taps, want, "{shape:?} {o}");
                }
            }
        }
    }
}
