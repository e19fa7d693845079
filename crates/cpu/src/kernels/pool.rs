//! Max and average pooling over channels-last images, forward and backward, in vectors along the channels.

use super::Workspace;
use super::simd::Vectorize;
use rayon::prelude::*;

/// Channels whose gradients are kept in registers.
const LANES: usize = 32;

/// Sizes of a pooling from `[batch, height, width, channels]` to `[batch, out[0], out[1], channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PoolShape {
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

impl PoolShape {
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

    fn image(&self) -> usize {
        self.height * self.width * self.channels
    }

    fn line(&self) -> usize {
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

/// `y = max of the window`; NaN wins, a window without pixels gives minus infinity.
pub fn max_pool2d(workspace: &mut Workspace, shape: &PoolShape, x: &[f32], y: &mut [f32]) {
    check(shape, x, y);
    let level = workspace.level();
    each_line(shape, y, |image, oy, y| {
        level.vectorize(MaxLine { shape, x: &x[image * shape.image()..][..shape.image()], oy, y });
    });
}

/// `dx`: each `dy` goes to the first position of its window that holds the maximum `y`.
pub fn max_pool2d_gradient(
    workspace: &mut Workspace,
    shape: &PoolShape,
    x: &[f32],
    y: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) {
    check(shape, x, y);
    check(shape, dx, dy);
    let level = workspace.level();
    each_image(shape, dx, |image, dx| {
        let (from, len) = (image * shape.image(), shape.out[0] * shape.line());
        let x = &x[from..from + shape.image()];
        let (y, dy) = (&y[image * len..][..len], &dy[image * len..][..len]);
        level.vectorize(MaxGradient { shape, x, y, dy, dx });
    });
}

/// `y = sum of the window / divisor(oy, ox, positions inside the image)`.
pub fn avg_pool2d(
    workspace: &mut Workspace,
    shape: &PoolShape,
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
    shape: &PoolShape,
    dy: &[f32],
    dx: &mut [f32],
    divisor: &(dyn Fn(usize, usize, usize) -> f32 + Sync),
) {
    check(shape, dx, dy);
    let level = workspace.level();
    each_image(shape, dx, |image, dx| {
        let len = shape.out[0] * shape.line();
        level.vectorize(AverageGradient { shape, dy: &dy[image * len..][..len], dx, divisor });
    });
}

fn check(shape: &PoolShape, input: &[f32], output: &[f32]) {
    assert_eq!(input.len(), shape.input_len());
    assert_eq!(output.len(), shape.output_len());
}

fn each_line(shape: &PoolShape, y: &mut [f32], task: impl Fn(usize, usize, &mut [f32]) + Sync) {
    if !y.is_empty() {
        y.par_chunks_mut(shape.line()).enumerate().for_each(|(line, y)| {
            task(line / shape.out[0], line % shape.out[0], y);
        });
    }
}

fn each_image(shape: &PoolShape, dx: &mut [f32], task: impl Fn(usize, &mut [f32]) + Sync) {
    if !dx.is_empty() {
        dx.par_chunks_mut(shape.image()).enumerate().for_each(|(image, dx)| {
            dx.fill(0.0);
            task(image, dx);
        });
    }
}

struct MaxLine<'a> {
    shape: &'a PoolShape,
    x: &'a [f32],
    oy: usize,
    y: &'a mut [f32],
}

impl Vectorize for MaxLine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (ox, y) in self.y.chunks_exact_mut(self.shape.channels).enumerate() {
            y.fill(f32::NEG_INFINITY);
            for at in self.shape.window(self.oy, ox) {
                for (y, &x) in y.iter_mut().zip(&self.x[at..]) {
                    // Keeps y where it is NaN: no comparison with it holds.
                    *y = if x <= *y || y.is_nan() { *y } else { x };
                }
            }
        }
    }
}

struct MaxGradient<'a> {
    shape: &'a PoolShape,
    x: &'a [f32],
    y: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Vectorize for MaxGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let channels = self.shape.channels;
        for pixel in 0..self.shape.out[0] * self.shape.out[1] {
            let mut c = 0;
            while c + LANES <= channels {
                self.pixel::<LANES>(pixel, c);
                c += LANES;
            }
            while c < channels {
                self.pixel::<1>(pixel, c);
                c += 1;
            }
        }
    }
}

impl MaxGradient<'_> {
    /// Channels `c..c + N` of one output pixel.
    #[inline(always)]
    fn pixel<const N: usize>(&mut self, pixel: usize, c: usize) {
        let at = pixel * self.shape.channels + c;
        let y: &[f32; N] = self.y[at..].first_chunk().expect("the pixel has these channels");
        // What is still to be handed out: nothing once the maximum has been met.
        let mut left: [f32; N] = *self.dy[at..].first_chunk().expect("the pixel has these channels");
        for at in self.shape.window(pixel / self.shape.out[1], pixel % self.shape.out[1]) {
            let x: &[f32; N] = self.x[at + c..].first_chunk().expect("the window lies in the image");
            let dx: &mut [f32; N] = self.dx[at + c..].first_chunk_mut().expect("the window lies in the image");
            for i in 0..N {
                let hit = (x[i] == y[i]) | (x[i].is_nan() & y[i].is_nan());
                dx[i] += if hit { left[i] } else { 0.0 };
                left[i] = if hit { 0.0 } else { left[i] };
            }
        }
    }
}

struct AverageLine<'a> {
    shape: &'a PoolShape,
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
    shape: &'a PoolShape,
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
