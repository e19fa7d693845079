//! Pooling windows: which image rows or columns lie under one.

use crate::kernels;
use chiaro_graph::PoolSpec;
use chiaro_graph::plan::PoolShape;

/// The shape as the kernels want it.
pub(crate) fn sizes(shape: &PoolShape) -> kernels::PoolShape {
    let [batch, height, width, channels] = shape.x;
    let spec = &shape.spec;
    kernels::PoolShape {
        batch,
        height,
        width,
        channels,
        out: [shape.y[1], shape.y[2]],
        kernel: spec.kernel,
        stride: spec.stride,
        padding: spec.padding,
        dilation: spec.dilation,
    }
}

/// First position and number of the taps inside an image along one axis (0 rows, 1 columns), in steps of the dilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taps {
    pub first: usize,
    pub count: usize,
    pub step: usize,
}

impl Taps {
    /// Taps of the window at output position `o` of an image of `extent`.
    pub fn new(spec: &PoolSpec, axis: usize, extent: usize, o: usize) -> Taps {
        let (step, start) = (spec.dilation[axis].max(1), o * spec.stride[axis]);
        let skipped = spec.padding[axis].saturating_sub(start).div_ceil(step);
        let first = start + skipped * step - spec.padding[axis].min(start + skipped * step);
        let room = extent.saturating_sub(first).div_ceil(step);
        Taps { first, count: spec.kernel[axis].saturating_sub(skipped).min(room), step }
    }

    /// The positions.
    pub fn positions(self) -> impl Iterator<Item = usize> + Clone {
        (0..self.count).map(move |k| self.first + k * self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_are_those_inside_the_image() {
        for (padding, dilation, stride, kernel) in [(0, 1, 2, 2), (1, 1, 2, 3), (1, 2, 1, 3), (2, 3, 3, 4)] {
            let spec = PoolSpec {
                kernel: [kernel; 2],
                stride: [stride; 2],
                padding: [padding; 2],
                dilation: [dilation; 2],
                ceil_mode: true,
            };
            for extent in 3..9 {
                for o in 0..4 {
                    let want: Vec<usize> = (0..kernel)
                        .filter_map(|k| (o * stride + k * dilation).checked_sub(padding))
                        .filter(|&i| i < extent)
                        .collect();
                    let taps: Vec<usize> = Taps::new(&spec, 0, extent, o).positions().collect();
                    assert_eq!(taps, want, "{spec:?} {extent} {o}");
                }
            }
        }
    }
}
