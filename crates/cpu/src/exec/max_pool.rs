//! Max pooling, the index of the largest, and the gradient. Channels are the vector lanes; images are the tasks.

use super::ending::Ending;
use super::memory::Region;
use super::prepare::Operands;
use super::window::Taps;
use super::{Action, Context, for_each};
use crate::kernels::Vectorize;
use chiaro_graph::plan::PoolShape;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Give {
    /// The largest of each window.
    Value,
    /// Its position in the plane.
    Index,
}

/// Channels of one task: best values and positions stay in registers or the first-level cache.
const CHANNELS: usize = 64;

/// Max pooling of `[N,H,W,C]`.
pub(crate) struct MaxPool {
    shape: PoolShape,
    give: Give,
    x: Region,
    out: Region,
}

impl MaxPool {
    pub fn new(shape: &PoolShape, give: Give, o: &mut Operands<'_>, out: Region) -> MaxPool {
        MaxPool { shape: shape.clone(), give, x: o.input(0), out }
    }
}

/// All windows of one image's channels `from..from + width`.
struct Image<'a> {
    shape: &'a PoolShape,
    x: Region,
    n: usize,
    from: usize,
    width: usize,
}

impl Image<'_> {
    /// Calls `f` with each window's output position, taps, largest values and (if `FIRST`) their first positions.
    #[inline(always)]
    fn each<const FIRST: bool>(&self, mut f: impl FnMut(usize, [Taps; 2], &[f32], &[u32])) {
        let [_, h, w, c] = self.shape.x;
        let [_, oh, ow, _] = self.shape.y;
        let x = self.x.floats(self.n * h * w * c, h * w * c);
        let (mut best, mut at) = ([0.0f32; CHANNELS], [0u32; CHANNELS]);
        let (best, at) = (&mut best[..self.width], &mut at[..self.width]);
        for oy in 0..oh {
            let rows = Taps::new(&self.shape.spec, 0, h, oy);
            for ox in 0..ow {
                let cols = Taps::new(&self.shape.spec, 1, w, ox);
                best.fill(f32::NEG_INFINITY);
                at.fill(u32::MAX);
                for y in rows.positions() {
                    for pixel in cols.positions().map(|x| y * w + x) {
                        let values = &x[pixel * c + self.from..][..self.width];
                        match FIRST {
                            true => first_largest(best, at, values, pixel as u32),
                            false => largest(best, values),
                        }
                    }
                }
                f((self.n * oh + oy) * ow + ox, [rows, cols], best, at);
            }
        }
    }
}

#[inline(always)]
fn largest(best: &mut [f32], values: &[f32]) {
    best.iter_mut().zip(values).for_each(|(b, &v)| *b = if v > *b || v.is_nan() { v } else { *b });
}

#[inline(always)]
fn first_largest(best: &mut [f32], at: &mut [u32], values: &[f32], pixel: u32) {
    for ((b, p), &v) in best.iter_mut().zip(at).zip(values) {
        // NaN counts as the largest; the very first position stands even for minus infinity.
        let better = v > *b || (v.is_nan() & !b.is_nan()) || *p == u32::MAX;
        *b = if better { v } else { *b };
        *p = if better { pixel } else { *p };
    }
}

struct Forward<'a>(&'a MaxPool, Image<'a>);

impl Vectorize for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Forward(pool, image) = self;
        let (c, from, width) = (pool.shape.x[3], image.from, image.width);
        match pool.give {
            Give::Value => image.each::<false>(|o, _, best, _| {
                pool.out.floats_mut(o * c + from, width).copy_from_slice(best);
            }),
            Give::Index => image.each::<true>(|o, _, _, at| {
                // A window wholly in the padding has no position.
                let out = pool.out.lanes_mut(o * c + from, width);
                out.iter_mut().zip(at).for_each(|(o, &p)| *o = if p == u32::MAX { 0 } else { p });
            }),
        }
    }
}

impl Action for MaxPool {
    fn run(&mut self, context: &mut Context<'_>) {
        let this = &*self;
        let level = context.level;
        let [n, h, w, c] = this.shape.x;
        let groups = c.div_ceil(CHANNELS);
        for_each(n * groups, h * w * c.min(CHANNELS), |i| {
            let (n, from) = (i / groups, i % groups * CHANNELS);
            let image = Image { shape: &this.shape, x: this.x, n, from, width: CHANNELS.min(c - from) };
            level.vectorize(Forward(this, image));
        });
    }
}

/// The gradient: dy goes to the first largest of each window; the program follows while the image is in cache.
pub(crate) struct MaxPoolGrad {
    shape: PoolShape,
    x: Region,
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
        let cover =
            (0..2).all(|i| spec.stride[i] == spec.kernel[i] && spec.padding[i] == 0 && reach(i) >= shape.x[1 + i]);
        let [n, h, w, c] = shape.x;
        let (x, dy) = (o.input(0), o.input(2));
        let ending = Ending::new(&o.step.program, &o.bounds, n * h * w, c, o.builder);
        MaxPoolGrad { shape: shape.clone(), x, dy, ending, apart, cover }
    }
}

struct Backward<'a>(&'a MaxPoolGrad, Image<'a>);

impl Vectorize for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Backward(pool, image) = self;
        let [_, h, w, c] = pool.shape.x;
        let (from, width, out) = (image.from, image.width, pool.ending.out);
        let first = image.n * h * w;
        if !(pool.apart && pool.cover) {
            (first..first + h * w).for_each(|p| out.floats_mut(p * c + from, width).fill(0.0));
        }
        image.each::<true>(|o, [rows, cols], _, at| {
            let dy = pool.dy.floats(o * c + from, width);
            for y in rows.positions() {
                for pixel in cols.positions().map(|x| y * w + x) {
                    let out = out.floats_mut((first + pixel) * c + from, width);
                    let hits = at.iter().zip(dy).map(|(&p, &d)| if p == pixel as u32 { d } else { 0.0 });
                    match pool.apart {
                        true => out.iter_mut().zip(hits).for_each(|(o, hit)| *o = hit),
                        false => out.iter_mut().zip(hits).for_each(|(o, hit)| *o += hit),
                    }
                }
            }
        });
    }
}

impl Action for MaxPoolGrad {
    fn run(&mut self, context: &mut Context<'_>) {
        let this = &*self;
        let [n, h, w, c] = this.shape.x;
        this.ending.finish(context, 0, |context, epilogue| {
            let level = context.level;
            for_each(n, h * w * c, |n| {
                for from in (0..c).step_by(CHANNELS) {
                    let width = CHANNELS.min(c - from);
                    level.vectorize(Backward(this, Image { shape: &this.shape, x: this.x, n, from, width }));
                }
                if !epilogue.is_noop() {
                    let image = this.ending.out.floats_mut(n * h * w * c, h * w * c);
                    epilogue.apply(n * h * w, h * w, 0, c, image, c);
                }
            });
        });
        self.ending.after(context);
    }
}
