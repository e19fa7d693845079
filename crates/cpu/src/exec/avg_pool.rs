//! Average pooling and its gradient. Channels are the vector lanes; images are the tasks.

use super::memory::Region;
use super::prepare::Operands;
use super::window::Taps;
use super::{Action, Context, for_each};
use crate::kernels::{Level, Vectorize};
use chiaro_graph::AvgDivisor;
use chiaro_graph::plan::PoolShape;

/// Average pooling of `[N,H,W,C]`, or the way back.
pub(crate) struct AvgPool {
    shape: PoolShape,
    by: AvgDivisor,
    backward: bool,
    from: Region,
    out: Region,
}

impl AvgPool {
    pub fn new(shape: &PoolShape, by: AvgDivisor, backward: bool, o: &mut Operands<'_>, out: Region) -> AvgPool {
        AvgPool { shape: shape.clone(), by, backward, from: o.input(0), out }
    }

    /// One over what the sum of a window is divided by: with padding counted, its part inside the padded image.
    fn factor(&self, at: [usize; 2], inside: usize) -> f32 {
        let spec = &self.shape.spec;
        let extent = |axis: usize| {
            let padded = self.shape.x[1 + axis] + 2 * spec.padding[axis];
            spec.kernel[axis].min(padded - at[axis] * spec.stride[axis])
        };
        let divisor = match self.by {
            AvgDivisor::IncludePadding => extent(0) * extent(1),
            AvgDivisor::ExcludePadding => inside,
            AvgDivisor::Fixed(n) => n,
        };
        (1.0 / divisor as f64) as f32
    }

    #[inline(always)]
    fn image(&self, n: usize) {
        let [_, h, w, c] = self.shape.x;
        let [_, oh, ow, _] = self.shape.y;
        let (image, window) = (n * h * w * c, n * oh * ow * c);
        if self.backward {
            self.out.floats_mut(image, h * w * c).fill(0.0);
        }
        for oy in 0..oh {
            let rows = Taps::new(&self.shape.spec, 0, h, oy);
            for ox in 0..ow {
                let cols = Taps::new(&self.shape.spec, 1, w, ox);
                let factor = self.factor([oy, ox], rows.count * cols.count);
                let window = window + (oy * ow + ox) * c;
                let pixels = rows.positions().flat_map(|y| cols.positions().map(move |x| image + (y * w + x) * c));
                if self.backward {
                    let dy = self.from.floats(window, c);
                    for pixel in pixels {
                        let out = self.out.floats_mut(pixel, c);
                        out.iter_mut().zip(dy).for_each(|(o, d)| *o += d * factor);
                    }
                } else {
                    let out = self.out.floats_mut(window, c);
                    out.fill(0.0);
                    for pixel in pixels {
                        out.iter_mut().zip(self.from.floats(pixel, c)).for_each(|(o, v)| *o += v);
                    }
                    out.iter_mut().for_each(|o| *o *= factor);
                }
            }
        }
    }
}

struct Task<'a> {
    pool: &'a AvgPool,
    n: usize,
}

impl Vectorize for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.pool.image(self.n);
    }
}

impl Action for AvgPool {
    fn run(&mut self, context: &mut Context<'_>) {
        let this = &*self;
        let level: Level = context.level;
        let [n, h, w, c] = this.shape.x;
        for_each(n, h * w * c, |n| level.vectorize(Task { pool: this, n }));
    }
}
