//! Naive float64 convolutions and matrix products, and generated data, for the kernel tests.
#![allow(dead_code, reason = "each test file uses a part of it")]

use chiaro_cpu::kernels::ConvExtents;

/// A small counter-based generator: the same stream on every machine.
pub struct Generator(pub u64);

impl Generator {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// Uniform in `low..=high`.
    pub fn range(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    /// `n` floats in -1..1.
    pub fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0).collect()
    }
}

/// `||a - b|| / ||b||`.
pub fn error(a: &[f32], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm: f64 = b.iter().map(|b| b * b).sum();
    let diff: f64 = a.iter().zip(b).map(|(&a, b)| (f64::from(a) - b).powi(2)).sum();
    if diff == 0.0 { 0.0 } else { (diff / norm).sqrt() }
}

/// The error that a sum of `k` products may have.
pub fn bound(k: usize) -> f64 {
    (2e-7 * (k as f64).sqrt()).max(2e-6)
}

/// Calls `f(x index, w index, y index)` for every product that a convolution sums.
pub fn for_each_product(s: &ConvExtents, mut f: impl FnMut(usize, usize, usize)) {
    let (oh, ow) = (s.out_height(), s.out_width());
    let (ig, og) = (s.channels_in / s.groups, s.channels_out / s.groups);
    for n in 0..s.batch {
        for oy in 0..oh {
            for ox in 0..ow {
                for ky in 0..s.kernel[0] {
                    for kx in 0..s.kernel[1] {
                        let y = oy * s.stride[0] + ky * s.dilation[0];
                        let x = ox * s.stride[1] + kx * s.dilation[1];
                        let (Some(y), Some(x)) = (
                            y.checked_sub(s.padding[0]).filter(|&y| y < s.height),
                            x.checked_sub(s.padding[2]).filter(|&x| x < s.width),
                        ) else {
                            continue;
                        };
                        for o in 0..s.channels_out {
                            for i in 0..ig {
                                let c = o / og * ig + i;
                                f(
                                    ((n * s.height + y) * s.width + x) * s.channels_in + c,
                                    ((o * s.kernel[0] + ky) * s.kernel[1] + kx) * ig + i,
                                    ((n * oh + oy) * ow + ox) * s.channels_out + o,
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A generated shape: odd channels, strides to 3, asymmetric padding, dilation, groups; the filter fits the padded image.
pub fn any_shape(g: &mut Generator) -> ConvExtents {
    loop {
        let groups = *[1, 1, 1, 2, 3].get(g.range(0, 4)).unwrap();
        let few_in = if g.range(0, 1) == 0 { 4 } else { 37 };
        let few_out = if g.range(0, 1) == 0 { 4 } else { 70 };
        let shape = ConvExtents {
            batch: if g.range(0, 3) == 0 { g.range(8, 13) } else { g.range(1, 3) },
            height: g.range(1, 11),
            width: g.range(1, 11),
            channels_in: groups * g.range(1, few_in),
            channels_out: groups * g.range(1, few_out),
            kernel: [g.range(1, 4), g.range(1, 4)],
            stride: [g.range(1, 3), g.range(1, 3)],
            padding: [g.range(0, 3), g.range(0, 3), g.range(0, 3), g.range(0, 3)],
            dilation: [g.range(1, 2), g.range(1, 2)],
            groups,
            out: None,
        };
        if shape.output_len() > 0 && shape.flops() < 40_000_000 {
            return shape;
        }
    }
}

/// A rayon pool of `threads`.
pub fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool")
}
