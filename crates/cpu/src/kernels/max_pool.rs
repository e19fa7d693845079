//! Max pooling and its gradient: some channels of a window at a time, in registers.

use super::pool::{PoolExtents, Taps, check, each_image, each_line};
use super::{Epilogue, Workspace};
use crate::raw::simd::Vectorize;

/// `y = max of the window`; NaN wins, a window without pixels gives minus infinity.
pub fn max_pool2d(workspace: &mut Workspace, shape: &PoolExtents, x: &[f32], y: &mut [f32]) {
    check(shape, x, y);
    let level = workspace.level();
    each_line(shape, y, |image, oy, y| {
        level.vectorize(WindowLine { shape, x: &x[image * shape.image()..][..shape.image()], oy, y });
    });
}

/// `dx`: each `dy` goes to the first position of its window that holds the maximum `y`; then `epilogue` sees the image, as rows
/// of its channels.
pub fn max_pool2d_gradient<E: Epilogue + ?Sized>(
    workspace: &mut Workspace,
    shape: &PoolExtents,
    x: &[f32],
    [y, dy]: [&[f32]; 2],
    dx: &mut [f32],
    epilogue: &E,
) {
    check(shape, x, y);
    check(shape, dx, dy);
    let level = workspace.level();
    let pixels = shape.height * shape.width;
    each_image(shape, dx, |image, dx| {
        let len = shape.out[0] * shape.line();
        let (y, dy) = (&y[image * len..][..len], &dy[image * len..][..len]);
        level.vectorize(Gradient { shape, x: &x[image * shape.image()..][..shape.image()], y, dy, dx });
        if !epilogue.is_noop() {
            epilogue.apply(image * pixels, pixels, 0, shape.channels, dx, shape.channels);
        }
    });
}

/// Calls a method for channels `from..from + N` until all are done: most of them with a fixed number of vectors. (A macro,
/// since a closure or an iterator would not be compiled for the instruction set of its caller.)
macro_rules! each_channels {
    ($channels:expr, |$from:ident, $n:ident| $call:expr) => {
        let mut $from = 0;
        while $from + 32 <= $channels {
            const $n: usize = 32;
            $call;
            $from += $n;
        }
        while $from + 16 <= $channels {
            const $n: usize = 16;
            $call;
            $from += $n;
        }
        while $from < $channels {
            const $n: usize = 1;
            $call;
            $from += $n;
        }
    };
}

struct WindowLine<'a> {
    shape: &'a PoolExtents,
    x: &'a [f32],
    oy: usize,
    y: &'a mut [f32],
}

impl Vectorize for WindowLine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let rows = self.shape.taps(0, self.oy);
        for ox in 0..self.shape.out[1] {
            let taps = [rows, self.shape.taps(1, ox)];
            each_channels!(self.shape.channels, |from, N| self.window::<N>(ox, taps, from));
        }
    }
}

impl WindowLine<'_> {
    #[inline(always)]
    fn window<const N: usize>(&mut self, ox: usize, [rows, cols]: [Taps; 2], from: usize) {
        let PoolExtents { width, channels, .. } = *self.shape;
        let mut best = [f32::NEG_INFINITY; N];
        for i in 0..rows.count {
            for j in 0..cols.count {
                let at = ((rows.first + i * rows.step) * width + cols.first + j * cols.step) * channels + from;
                for (best, &x) in best.iter_mut().zip(&self.x[at..at + N]) {
                    // Keeps the best where it is NaN: no comparison with it holds.
                    *best = if x <= *best || best.is_nan() { *best } else { x };
                }
            }
        }
        self.y[ox * channels + from..][..N].copy_from_slice(&best);
    }
}

/// One image.
struct Gradient<'a> {
    shape: &'a PoolExtents,
    x: &'a [f32],
    y: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Vectorize for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let shape = self.shape;
        // Windows that do not overlap write each gradient once, and where they cover the image they write all of it.
        let apart = (0..2).all(|i| shape.stride[i] >= shape.kernel[i] && shape.dilation[i] == 1);
        let size = [shape.height, shape.width];
        let cover = (0..2).all(|i| {
            shape.stride[i] == shape.kernel[i] && shape.padding[i] == 0 && shape.out[i] * shape.stride[i] >= size[i]
        });
        if !(apart && cover) {
            self.dx.fill(0.0);
        }
        for oy in 0..shape.out[0] {
            let rows = shape.taps(0, oy);
            for ox in 0..shape.out[1] {
                let taps = [rows, shape.taps(1, ox)];
                let window = (oy * shape.out[1] + ox) * shape.channels;
                if apart {
                    each_channels!(shape.channels, |from, N| self.window::<N, true>(window + from, taps, from));
                } else {
                    each_channels!(shape.channels, |from, N| self.window::<N, false>(window + from, taps, from));
                }
            }
        }
    }
}

impl Gradient<'_> {
    /// Channels `from..from + N` of the window whose result is at `window`.
    #[inline(always)]
    fn window<const N: usize, const APART: bool>(&mut self, window: usize, [rows, cols]: [Taps; 2], from: usize) {
        let PoolExtents { width, channels, .. } = *self.shape;
        let mut y = [0.0; N];
        y.copy_from_slice(&self.y[window..window + N]);
        // What is still to be handed out: nothing once the largest has been met.
        let mut left = [0.0; N];
        left.copy_from_slice(&self.dy[window..window + N]);
        for i in 0..rows.count {
            for j in 0..cols.count {
                let at = ((rows.first + i * rows.step) * width + cols.first + j * cols.step) * channels + from;
                let (x, dx) = (&self.x[at..at + N], &mut self.dx[at..at + N]);
                for k in 0..N {
                    let hit = (x[k] == y[k]) | (x[k].is_nan() & y[k].is_nan());
                    let share = if hit { left[k] } else { 0.0 };
                    left[k] = if hit { 0.0 } else { left[k] };
                    dx[k] = if APART { share } else { dx[k] + share };
                }
            }
        }
    }
}
