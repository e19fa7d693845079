//! Max pooling, the index of the largest, and the gradient. Channels are the vector lanes; images are the tasks.

use super::ending::Ending;
use super::memory::Region;
use super::prepare::Operands;
use super::window::{Taps, sizes};
use super::{Action, Context, for_each};
use crate::kernels::{self, Vectorize, max_pool2d};
use chiaro_graph::plan::PoolShape;

/// The largest of each window.
pub(crate) struct MaxPool {
    shape: kernels::PoolShape,
    x: Region,
    out: Region,
}

impl MaxPool {
    pub fn new(shape: &PoolShape, o: &mut Operands<'_>, out: Region) -> MaxPool {
        MaxPool { shape: sizes(shape), x: o.input(0), out }
    }
}

impl Action for MaxPool {
    fn run(&mut self, context: &mut Context<'_>) {
        max_pool2d(context.workspace, &self.shape, self.x.all(), self.out.all_mut());
    }
}

/// The position in the plane of each window's first largest.
pub(crate) struct MaxPoolIndex {
    shape: PoolShape,
    x: Region,
    out: Region,
}

impl MaxPoolIndex {
    pub fn new(shape: &PoolShape, o: &mut Operands<'_>, out: Region) -> MaxPoolIndex {
        MaxPoolIndex { shape: shape.clone(), x: o.input(0), out }
    }

    fn window(&self, window: usize) {
        let [_, h, w, c] = self.shape.x;
        let [_, oh, ow, _] = self.shape.y;
        let rows = Taps::new(&self.shape.spec, 0, h, window / ow % oh);
        let cols = Taps::new(&self.shape.spec, 1, w, window % ow);
        let image = self.x.floats(window / (oh * ow) * h * w * c, h * w * c);
        for (channel, out) in self.out.lanes_mut(window * c, c).iter_mut().enumerate() {
            let mut best: Option<(usize, f32)> = None;
            for pixel in rows.positions().flat_map(|y| cols.positions().map(move |x| y * w + x)) {
                let v = image[pixel * c + channel];
                // NaN counts as the largest.
                if best.is_none_or(|(_, b)| v > b || v.is_nan() && !b.is_nan()) {
                    best = Some((pixel, v));
                }
            }
            // A window wholly in the padding has no position.
            *out = best.map_or(0, |(pixel, _)| pixel as u32);
        }
    }
}

impl Action for MaxPoolIndex {
    fn run(&mut self, _: &mut Context<'_>) {
        let [n, oh, ow, c] = self.shape.y;
        let taps = self.shape.spec.kernel[0] * self.shape.spec.kernel[1];
        let this = &*self;
        for_each(n * oh * ow, 4 * c * taps, |window| this.window(window));
    }
}

/// The gradient: dy goes to the first largest of each window; the program follows while the image is in cache.
pub(crate) struct MaxPoolGrad {
    shape: PoolShape,
    x: Region,
    y: Region,
    dy: Region,
    ending: Ending,
    /// Windows do not overlap, so that a gradient is written once.
    apart: bool,
    /// They cover the whole image.
    cover: bool,
}

impl MaxPoolGrad {
    pub fn new(shape: &PoolShape, o: &mut Operands<'_>) -> MaxPoolGrad {
        let spec = &shape.spec;
        let apart = (0..2).all(|i| spec.stride[i] >= spec.kernel[i] && spec.dilation[i] == 1);
        let reach = |i: usize| shape.y[1 + i] * spec.stride[i];
        let tiled = |i: usize| spec.stride[i] == spec.kernel[i] && spec.padding[i] == 0 && reach(i) >= shape.x[1 + i];
        let [n, h, w, c] = shape.x;
        let (x, y, dy) = (o.input(0), o.input(1), o.input(2));
        let ending = Ending::new(&o.step.program, &o.bounds, n * h * w, c, o.builder);
        MaxPoolGrad { shape: shape.clone(), x, y, dy, ending, apart, cover: tiled(0) && tiled(1) }
    }
}

/// One image.
struct Image<'a> {
    pool: &'a MaxPoolGrad,
    x: &'a [f32],
    y: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Vectorize for Image<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        const LANES: usize = 32;
        let (pool, spec) = (self.pool, &self.pool.shape.spec);
        let [_, h, w, c] = pool.shape.x;
        let [_, oh, ow, _] = pool.shape.y;
        if !(pool.apart && pool.cover) {
            self.dx.fill(0.0);
        }
        for oy in 0..oh {
            let rows = Taps::new(spec, 0, h, oy);
            for ox in 0..ow {
                let taps = [rows, Taps::new(spec, 1, w, ox)];
                let window = (oy * ow + ox) * c;
                let long = c / LANES * LANES;
                (0..long).step_by(LANES).for_each(|from| self.window::<LANES>(window, taps, from));
                (long..c).for_each(|from| self.window::<1>(window, taps, from));
            }
        }
    }
}

impl Image<'_> {
    /// Channels `from..from + N` of one window.
    #[inline(always)]
    fn window<const N: usize>(&mut self, window: usize, [rows, cols]: [Taps; 2], from: usize) {
        let [_, _, w, c] = self.pool.shape.x;
        let mut y = [0.0; N];
        y.copy_from_slice(&self.y[window + from..][..N]);
        // What is still to be handed out: nothing once the largest has been met.
        let mut left = [0.0; N];
        left.copy_from_slice(&self.dy[window + from..][..N]);
        for row in rows.positions() {
            for at in cols.positions().map(|col| (row * w + col) * c + from) {
                let dx = &mut self.dx[at..at + N];
                for (i, (x, dx)) in self.x[at..at + N].iter().zip(dx).enumerate() {
                    let hit = (*x == y[i]) | (x.is_nan() & y[i].is_nan());
                    let share = if hit { left[i] } else { 0.0 };
                    left[i] = if hit { 0.0 } else { left[i] };
                    *dx = if self.pool.apart { share } else { *dx + share };
                }
            }
        }
    }
}

impl Action for MaxPoolGrad {
    fn run(&mut self, context: &mut Context<'_>) {
        let this = &*self;
        let [n, h, w, c] = this.shape.x;
        let (image, pooled) = (h * w * c, this.shape.y[1] * this.shape.y[2] * c);
        this.ending.finish(context, 0, |context, epilogue| {
            let level = context.level;
            for_each(n, image, |n| {
                let x = this.x.floats(n * image, image);
                let (y, dy) = (this.y.floats(n * pooled, pooled), this.dy.floats(n * pooled, pooled));
                level.vectorize(Image { pool: this, x, y, dy, dx: this.ending.out.floats_mut(n * image, image) });
                if !epilogue.is_noop() {
                    epilogue.apply(n * h * w, h * w, 0, c, this.ending.out.floats_mut(n * image, image), c);
                }
            });
        });
        self.ending.after(context);
    }
}
