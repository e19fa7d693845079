//! Max pooling, the index of the largest, and the gradient. Channels are the vector lanes; images are the tasks.

use super::memory::Region;
use super::prepare::Operands;
use super::window::Taps;
use super::{Action, Context, for_each};
use crate::kernels::{Level, Vectorize};
use chiaro_graph::plan::PoolShape;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Give {
    /// The largest of each window.
    Value,
    /// Its position in the plane.
    Index,
    /// dy, sent to the first largest.
    Gradient,
}

/// Channels of one task: best values and positions stay in registers or the first-level cache.
const CHANNELS: usize = 64;

/// Max pooling of `[N,H,W,C]`.
pub(crate) struct MaxPool {
    shape: PoolShape,
    give: Give,
    x: Region,
    dy: Option<Region>,
    out: Region,
    /// Windows do not overlap, so that a gradient is written once.
    apart: bool,
}

impl MaxPool {
    pub fn new(shape: &PoolShape, give: Give, o: &mut Operands<'_>, out: Region) -> MaxPool {
        let spec = &shape.spec;
        let apart = (0..2).all(|i| spec.stride[i] >= spec.kernel[i] && spec.dilation[i] == 1);
        let dy = (give == Give::Gradient).then(|| o.input(2));
        MaxPool { shape: shape.clone(), give, x: o.input(0), dy, out, apart }
    }

    /// One image's channels `from..from + width`, all windows.
    #[inline(always)]
    fn image(&self, n: usize, from: usize, width: usize) {
        let [_, h, w, c] = self.shape.x;
        let [_, oh, ow, _] = self.shape.y;
        let x = self.x.floats(n * h * w * c, h * w * c);
        if self.give == Give::Gradient {
            for pixel in 0..h * w {
                self.out.floats_mut((n * h * w + pixel) * c + from, width).fill(0.0);
            }
        }
        let (mut best, mut at) = ([0.0f32; CHANNELS], [0u32; CHANNELS]);
        let (best, at) = (&mut best[..width], &mut at[..width]);
        for oy in 0..oh {
            let rows = Taps::new(&self.shape.spec, 0, h, oy);
            for ox in 0..ow {
                let cols = Taps::new(&self.shape.spec, 1, w, ox);
                best.fill(f32::NEG_INFINITY);
                at.fill(u32::MAX);
                for y in rows.positions() {
                    for pixel in cols.positions().map(|x| y * w + x) {
                        let values = &x[pixel * c + from..][..width];
                        if self.give == Give::Value {
                            largest(best, values);
                        } else {
                            first_largest(best, at, values, pixel as u32);
                        }
                    }
                }
                let window = ((n * oh + oy) * ow + ox) * c + from;
                self.write(n, window, (rows, cols), best, at);
            }
        }
    }

    #[inline(always)]
    fn write(&self, n: usize, window: usize, (rows, cols): (Taps, Taps), best: &[f32], at: &[u32]) {
        let width = best.len();
        match (self.give, self.dy) {
            (Give::Value, _) => self.out.floats_mut(window, width).copy_from_slice(best),
            (Give::Index, _) => {
                // A window wholly in the padding has no position.
                let out = self.out.lanes_mut(window, width);
                out.iter_mut().zip(at).for_each(|(o, &p)| *o = if p == u32::MAX { 0 } else { p });
            }
            (Give::Gradient, None) => {}
            (Give::Gradient, Some(dy)) => {
                let [_, h, w, c] = self.shape.x;
                let dy = dy.floats(window, width);
                for y in rows.positions() {
                    for pixel in cols.positions().map(|x| y * w + x) {
                        let out = self.out.floats_mut((n * h * w + pixel) * c + window % c, width);
                        for (((o, &p), &d), _) in out.iter_mut().zip(at).zip(dy).zip(best) {
                            let hit = if p == pixel as u32 { d } else { 0.0 };
                            *o = if self.apart { hit } else { *o + hit };
                        }
                    }
                }
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

struct Task<'a> {
    pool: &'a MaxPool,
    n: usize,
    from: usize,
    width: usize,
}

impl Vectorize for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.pool.image(self.n, self.from, self.width);
    }
}

impl Action for MaxPool {
    fn run(&mut self, context: &mut Context<'_>) {
        let this = &*self;
        let level: Level = context.level;
        let [n, h, w, c] = this.shape.x;
        let groups = c.div_ceil(CHANNELS);
        for_each(n * groups, h * w * c.min(CHANNELS), |task| {
            let from = task % groups * CHANNELS;
            level.vectorize(Task { pool: this, n: task / groups, from, width: CHANNELS.min(c - from) });
        });
    }
}
