//! Pooling, and resizing.

use super::super::arg::V;
use super::super::call::Call;
use super::Gen;
use chiaro_graph::{AvgDivisor, PoolSpec, ResizeMode};

/// A window that slides: largest, where it is, or mean.
pub(super) fn window(g: &mut Gen) -> Option<V> {
    let x = g.image()?;
    let shape = g.shape(x);
    let mut spec = PoolSpec::square(1);
    let largest = g.rng.percent(60);
    for axis in 0..2 {
        let most = shape[1 + axis].min(4);
        let kernel = g.rng.within(1, most);
        spec.kernel[axis] = kernel;
        spec.stride[axis] = if g.rng.percent(50) { kernel } else { g.rng.within(1, 3) };
        spec.padding[axis] = if g.rng.percent(50) { 0 } else { g.rng.within(0, kernel / 2) };
        // A window must not lie wholly in the padding.
        let dilated = largest && g.rng.percent(20) && 2 * (kernel - 1) < shape[1 + axis];
        spec.dilation[axis] = if dilated { 2 } else { 1 };
    }
    spec.ceil_mode = g.rng.percent(30);
    if !largest {
        let divisor = g.rng.pick(&[AvgDivisor::IncludePadding, AvgDivisor::ExcludePadding, AvgDivisor::Fixed(3)]);
        return g.call(Call::AvgPool2d { x, spec, divisor });
    }
    if g.rng.percent(25) {
        return g.call(Call::MaxPool2dIndex { x, spec });
    }
    g.call(Call::MaxPool2d { x, spec })
}

/// Windows that follow from the size of the result.
pub(super) fn adaptive(g: &mut Gen) -> Option<V> {
    let x = g.image()?;
    let out = [g.rng.within(1, 6), g.rng.within(1, 6)];
    match g.rng.below(4) {
        0 => g.call(Call::GlobalAvgPool2d { x }),
        1 => g.call(Call::AdaptiveAvgPool2d { x, out }),
        2 => g.call(Call::AdaptiveMaxPool2d { x, out }),
        _ => {
            let modes = [
                ResizeMode::Nearest,
                ResizeMode::Bilinear { align_corners: false },
                ResizeMode::Bilinear { align_corners: true },
            ];
            let mode = g.rng.pick(&modes);
            g.call(Call::Resize2d { x, out, mode })
        }
    }
}
