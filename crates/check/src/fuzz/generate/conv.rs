//! Convolutions of all kinds, and transposed ones.

use super::super::arg::V;
use super::super::call::Call;
use super::Gen;
use chiaro_graph::ConvSpec;

impl Gen {
    /// An image `[N,H,W,C]`: one that is there, or a new one.
    pub fn image(&mut self) -> Option<V> {
        let there = self.rng.percent(85).then(|| self.some(|g, v| g.dtype(v).is_float() && g.shape(v).len() == 4));
        match there.flatten() {
            Some(v) => Some(v),
            None => {
                let n = self.rng.pick(&[1, 1, 2, 3, 5]);
                let mut shape = self.sizes.shape(&mut self.rng, 4);
                shape[0] = n;
                (1..3).for_each(|axis| shape[axis] = shape[axis].min(33));
                self.new_float(&shape)
            }
        }
    }

    /// Geometry of a window over an image of these extents.
    fn spec(&mut self, image: &[usize], kernel: [usize; 2], groups: usize) -> ConvSpec {
        let mut spec = ConvSpec { groups, ..ConvSpec::default() };
        if self.rng.percent(40) {
            // The usual: same size, or half.
            let stride = self.rng.pick(&[1, 1, 2]);
            let [h, w] = kernel.map(|k| k / 2);
            return ConvSpec { stride: [stride; 2], padding: [h, h, w, w], ..spec };
        }
        for axis in 0..2 {
            spec.stride[axis] = self.rng.pick(&[1, 1, 2, 3]);
            spec.dilation[axis] = self.rng.pick(&[1, 1, 1, 2, 3]);
            let reach = spec.dilation[axis] * (kernel[axis] - 1) + 1;
            let lacking = reach.saturating_sub(image[1 + axis]);
            spec.padding[2 * axis] = self.rng.within(0, 2) + lacking.div_ceil(2);
            spec.padding[2 * axis + 1] = self.rng.within(0, 2) + lacking.div_ceil(2);
        }
        spec
    }

    /// Channel groups that divide the channels: one, some, or all.
    fn groups(&mut self, channels: usize) -> usize {
        match self.rng.below(5) {
            0 => channels,
            1 => {
                let all: Vec<usize> = (1..=channels).filter(|f| channels.is_multiple_of(*f)).collect();
                self.rng.pick(&all)
            }
            _ => 1,
        }
    }
}

/// A convolution, often with a bias and an activation behind it.
pub(super) fn conv(g: &mut Gen) -> Option<V> {
    let x = g.image()?;
    convolve(g, x, None)
}

/// A convolution of an image to this many channels.
pub(super) fn convolve(g: &mut Gen, x: V, channels: Option<usize>) -> Option<V> {
    let (shape, dtype) = (g.shape(x), g.dtype(x));
    let kernel = [g.rng.pick(&[1, 2, 3, 3, 3, 5]), g.rng.pick(&[1, 2, 3, 3, 3, 5])];
    let kernel = if g.rng.percent(70) { [kernel[0]; 2] } else { kernel };
    let (groups, out) = match channels {
        Some(out) => (1, out),
        None => {
            let groups = g.groups(shape[3]);
            let factor = if groups == 1 { g.sizes.extent(&mut g.rng) } else { g.rng.within(1, 3) };
            (groups, groups * factor)
        }
    };
    let mut spec = g.spec(&shape, kernel, groups);
    if channels.is_some() {
        // The size stays: odd windows, padded by half.
        let [h, w] = kernel.map(|k| k - 1);
        spec = ConvSpec { padding: [h / 2, h - h / 2, w / 2, w - w / 2], ..ConvSpec::default() };
    }
    let inner = shape[3] / groups;
    let weight = g.weight(&[out, kernel[0], kernel[1], inner], dtype, kernel[0] * kernel[1] * inner)?;
    let y = g.call(Call::Conv2d { x, weight, spec })?;
    if g.rng.percent(30) {
        let bias = g.float_like(&[out], dtype)?;
        return g.call(Call::Map { op: chiaro_graph::Elementwise::Add, operands: vec![y, bias] });
    }
    Some(y)
}

/// A transposed convolution.
pub(super) fn transposed(g: &mut Gen) -> Option<V> {
    let x = g.image()?;
    let (shape, dtype) = (g.shape(x), g.dtype(x));
    let kernel = [g.rng.within(1, 4), g.rng.within(1, 4)];
    let groups = g.groups(shape[3]);
    let each = g.rng.within(1, 4);
    let mut spec = g.spec(&shape, kernel, groups);
    // Padding takes away here.
    spec.padding = [g.rng.below(2), g.rng.below(2), g.rng.below(2), g.rng.below(2)];
    let output_padding = [0, 1].map(|axis| g.rng.below(spec.stride[axis].max(spec.dilation[axis])));
    let weight = g.weight(&[shape[3], kernel[0], kernel[1], each], dtype, kernel[0] * kernel[1] * shape[3] / groups)?;
    g.call(Call::ConvTranspose2d { x, weight, spec, output_padding })
}
