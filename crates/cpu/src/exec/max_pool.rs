//! Max pooling, the index of the largest, and the gradient. Channels are the vector lanes; images are the tasks.

use super::epilogue::StepEpilogue;
use super::operands::Operands;
use super::window::sizes;
use super::{Action, ExecContext, for_each};
use crate::kernels::{self, max_pool2d, max_pool2d_gradient};
use crate::raw::memory::MemoryRegion;
use chiaro_graph::plan::PoolShape;

/// The largest of each window.
pub(crate) struct MaxPool {
    shape: kernels::PoolExtents,
    x: MemoryRegion,
    out: MemoryRegion,
}

impl MaxPool {
    pub fn new(shape: &PoolShape, o: &mut Operands<'_>, out: MemoryRegion) -> MaxPool {
        MaxPool { shape: sizes(shape), x: o.input(0), out }
    }
}

impl Action for MaxPool {
    fn run(&mut self, context: &mut ExecContext<'_>) {
        max_pool2d(context.workspace, &self.shape, self.x.all(), self.out.all_mut());
    }
}

/// The position in the plane of each window's first largest.
pub(crate) struct MaxPoolIndex {
    shape: kernels::PoolExtents,
    x: MemoryRegion,
    out: MemoryRegion,
}

impl MaxPoolIndex {
    pub fn new(shape: &PoolShape, o: &mut Operands<'_>, out: MemoryRegion) -> MaxPoolIndex {
        MaxPoolIndex { shape: sizes(shape), x: o.input(0), out }
    }

    fn window(&self, window: usize) {
        let kernels::PoolExtents { height: h, width: w, channels: c, out: [oh, ow], .. } = self.shape;
        let (rows, cols) = (self.shape.taps(0, window / ow % oh), self.shape.taps(1, window % ow));
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
    fn run(&mut self, _: &mut ExecContext<'_>) {
        let kernels::PoolExtents { batch: n, channels: c, out: [oh, ow], kernel, .. } = self.shape;
        let taps = kernel[0] * kernel[1];
        let this = &*self;
        for_each(n * oh * ow, 4 * c * taps, |window| this.window(window));
    }
}

/// The gradient: dy goes to the first largest of each window; the program follows while the image is in cache.
pub(crate) struct MaxPoolGrad {
    shape: kernels::PoolExtents,
    x: MemoryRegion,
    y: MemoryRegion,
    dy: MemoryRegion,
    ending: StepEpilogue,
}

impl MaxPoolGrad {
    pub fn new(shape: &PoolShape, o: &mut Operands<'_>) -> MaxPoolGrad {
        let [n, h, w, c] = shape.x;
        let (x, y, dy) = (o.input(0), o.input(1), o.input(2));
        let ending = StepEpilogue::new(&o.step.program, &o.bounds, n * h * w, c, o.builder);
        MaxPoolGrad { shape: sizes(shape), x, y, dy, ending }
    }
}

impl Action for MaxPoolGrad {
    fn run(&mut self, context: &mut ExecContext<'_>) {
        let (x, of, dx) = (self.x.all(), [self.y.all(), self.dy.all()], self.ending.out.all_mut());
        self.ending.finish(context, 0, |context, epilogue| {
            max_pool2d_gradient(context.workspace, &self.shape, x, of, dx, epilogue);
        });
        self.ending.after(context);
    }
}
