//! Sampled images by the formula, one number at a time.

use super::{Edge, SampleImages, Sampling};
use crate::custom::TensorType;

/// Operands as `Graph::sample_images` has them.
pub(super) fn images(op: &SampleImages, operands: &[(&TensorType, &[f64])], result: &TensorType) -> Vec<f64> {
    let mut rest = operands.iter().skip(3).map(|(_, values)| *values);
    let picture = Picture {
        sampling: op.sampling,
        words: op.words(),
        pixels: operands[0].1,
        chosen: operands[1].1,
        normalization: operands[2].1,
        place: op.placed.then(|| rest.next().unwrap_or_default()),
        colour: op.coloured.then(|| rest.next().unwrap_or_default()),
    };
    let [n, height, width, channels] = [0, 1, 2, 3].map(|axis| result.shape[axis]);
    let mut all = Vec::with_capacity(result.len());
    for at in 0..n * height * width {
        let (n, y, x) = (at / (height * width), at / width % height, at % width);
        let spot = picture.spot(n, y as f64, x as f64);
        for c in 0..channels {
            let value = picture.coloured(n, spot, c) / 65536.0;
            all.push((value - picture.normalization[c]) * picture.normalization[channels + c]);
        }
    }
    all
}

struct Picture<'a> {
    sampling: Sampling,
    words: usize,
    pixels: &'a [f64],
    chosen: &'a [f64],
    normalization: &'a [f64],
    place: Option<&'a [f64]>,
    colour: Option<&'a [f64]>,
}

impl Picture<'_> {
    /// Row and column in units of 1/256 pixel; `None` where there are none.
    fn spot(&self, n: usize, y: f64, x: f64) -> Option<[f64; 2]> {
        let Some(place) = self.place else { return Some([256.0 * y, 256.0 * x]) };
        let [u, v, w] = [0, 3, 6].map(|row| {
            let m = &place[9 * n + row..][..3];
            m[0] * y + m[1] * x + m[2]
        });
        let d = (w / 16.0).floor();
        match w {
            65536.0 => Some([u, v].map(|p| ((p + 128.0) / 256.0).floor())),
            _ if d < 1.0 => None,
            _ => Some([u, v].map(|p| (16.0 * p / d).floor())),
        }
    }

    /// A channel in units of 2^-16, its colours changed.
    fn coloured(&self, n: usize, spot: Option<[f64; 2]>, c: usize) -> f64 {
        let channels = self.sampling.source[2];
        let Some(colour) = self.colour else { return self.sampled(n, spot, c) };
        let row = &colour[(n * channels + c) * (channels + 1)..][..channels + 1];
        let mixed = (0..channels).map(|k| row[k] * (self.sampled(n, spot, k) / 1024.0).floor()).sum::<f64>();
        let sum = mixed + 64.0 * row[channels];
        (sum.clamp(0.0, 255.0 * 262_144.0) / 4.0).floor()
    }

    /// A channel between the four pixels around, in units of 2^-16.
    fn sampled(&self, n: usize, spot: Option<[f64; 2]>, c: usize) -> f64 {
        let mean = (self.normalization[c] * 65536.0).floor();
        let Some(at) = spot else { return mean };
        let (corner, next) = (at.map(|a| (a / 256.0).floor()), at.map(|a| a.rem_euclid(256.0)));
        let (mut inside, mut outside) = (0.0, 0.0);
        for [down, right] in [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] {
            let along = |by: f64, next: f64| if by == 0.0 { 256.0 - next } else { next };
            let weight = along(down, next[0]) * along(right, next[1]);
            match self.pixel(n, corner[0] + down, corner[1] + right, c) {
                Some(pixel) => inside += weight * pixel,
                None => outside += weight,
            }
        }
        match outside {
            65536.0 => mean,
            _ => inside + ((outside / 2.0).floor() * (mean / 256.0).floor() / 128.0).floor(),
        }
    }

    fn pixel(&self, n: usize, row: f64, column: f64, c: usize) -> Option<f64> {
        let [rows, columns, channels] = self.sampling.source;
        let within = |at: f64, n: usize| match self.sampling.edge {
            Edge::Mean => (0.0..n as f64).contains(&at).then_some(at as usize),
            Edge::Reflect => {
                let last = n as f64 - 1.0;
                let past = at.rem_euclid((2.0 * last).max(1.0));
                Some(past.min(2.0 * last - past) as usize)
            }
        };
        let at = (within(row, rows)? * columns + within(column, columns)?) * channels + c;
        let image = (self.chosen[n].max(0.0) as usize).min(self.pixels.len() / self.words - 1);
        let word = self.pixels[image * self.words + at / 4] as u32;
        Some(f64::from(word.to_le_bytes()[at % 4]))
    }
}
