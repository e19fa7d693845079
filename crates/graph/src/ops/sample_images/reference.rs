//! Sampled images by the formula, one number at a time.

use super::{CHANGES, Edge, SampleImages, Sampling};
use crate::custom::TensorType;

/// Operands as `Graph::sample_images` has them.
pub(super) fn images(op: &SampleImages, operands: &[(&TensorType, &[f64])], result: &TensorType) -> Vec<f64> {
    let mut rest = operands.iter().skip(3).map(|(_, values)| *values);
    let picture = ExactPicture {
        sampling: op.sampling,
        words: op.words(),
        pixels: operands[0].1,
        chosen: operands[1].1,
        normalization: operands[2].1,
        place: op.placed.then(|| rest.next().unwrap_or_default()),
        colour: op.coloured.then(|| rest.next().unwrap_or_default()),
        changes: op.changed.then(|| rest.next().unwrap_or_default()),
        tones: op.toned.then(|| rest.next().unwrap_or_default()),
    };
    let [n, height, width, channels] = [0, 1, 2, 3].map(|axis| result.shape[axis]);
    let mut all = Vec::with_capacity(result.len());
    for at in 0..n * height * width {
        let (n, y, x) = (at / (height * width), at / width % height, at % width);
        for c in 0..channels {
            let value = picture.changed(n, [y, x], c) / 65536.0;
            all.push((value - picture.normalization[c]) * picture.normalization[channels + c]);
        }
    }
    all
}

struct ExactPicture<'a> {
    sampling: Sampling,
    words: usize,
    pixels: &'a [f64],
    chosen: &'a [f64],
    normalization: &'a [f64],
    place: Option<&'a [f64]>,
    colour: Option<&'a [f64]>,
    changes: Option<&'a [f64]>,
    tones: Option<&'a [f64]>,
}

impl ExactPicture<'_> {
    /// An image and a share of another, in units of 2^-16.
    fn changed(&self, n: usize, at: [usize; 2], c: usize) -> f64 {
        let Some(changes) = self.changes else { return self.single(n, at, c) };
        let m = &changes[CHANGES * n..][..CHANGES];
        let share = m[if covers(&m[10..], at) { 9 } else { 8 }].clamp(0.0, 256.0);
        let other = m[7].clamp(0.0, self.chosen.len() as f64 - 1.0) as usize;
        // What has no share may be anything, and is not looked at.
        let of = |n: usize, share: f64| if share == 0.0 { 0.0 } else { self.single(n, at, c) * share };
        ((of(n, 256.0 - share) + of(other, share)) / 256.0).floor()
    }

    fn single(&self, n: usize, at: [usize; 2], c: usize) -> f64 {
        if let Some(m) = self.changes.map(|all| &all[CHANGES * n..][..CHANGES])
            && covers(&m[2..], at)
        {
            let ([height, width], channels) = (self.sampling.size, self.sampling.source[2]);
            let place = ((n * height + at[0]) * width + at[1]) * channels + c;
            return match m[6] {
                0.0 => (self.normalization[c] * 65536.0).floor(),
                seed => 65536.0 * noise(seed as i32 as u32, place),
            };
        }
        self.coloured(n, self.spot(n, at[0] as f64, at[1] as f64), c)
    }

    /// A channel between pixels, blurred or sharpened.
    fn sampled(&self, n: usize, spot: Option<[f64; 2]>, c: usize) -> f64 {
        let sharp = self.interpolated(n, spot, c);
        let Some(&[by, amount]) = self.changes.and_then(|all| all[CHANGES * n..].first_chunk()) else { return sharp };
        if amount == 0.0 {
            return sharp;
        }
        let mut around = 0.0;
        for (down, a) in [(-1.0, 1.0), (0.0, 2.0), (1.0, 1.0)] {
            for (right, b) in [(-1.0, 1.0), (0.0, 2.0), (1.0, 1.0)] {
                let moved = spot.map(|[row, column]| [row + down * by, column + right * by]);
                around += a * b * (self.interpolated(n, moved, c) / 16.0).floor();
            }
        }
        let difference = ((around - sharp) / 16.0).floor();
        (sharp + (difference * amount / 16.0).floor()).clamp(0.0, 255.0 * 65536.0)
    }

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
    fn interpolated(&self, n: usize, spot: Option<[f64; 2]>, c: usize) -> f64 {
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
        let value = byte(&self.pixels[image * self.words..], at);
        Some(self.tones.map_or(value, |all| byte(&all[(n * channels + c) * 64..], value as usize)))
    }
}

/// Byte number `at` of words.
fn byte(words: &[f64], at: usize) -> f64 {
    f64::from((words[at / 4] as u32).to_le_bytes()[at % 4])
}

/// Whether a rectangle (rows from, to, columns from, to) has this pixel.
fn covers(m: &[f64], at: [usize; 2]) -> bool {
    let [row, column] = at.map(|a| a as f64);
    m[0] <= row && row < m[1] && m[2] <= column && column < m[3]
}

/// A random byte of a number.
fn noise(seed: u32, at: usize) -> f64 {
    let h = seed ^ (at as u32).wrapping_mul(2_654_435_761);
    let h = (h ^ (h >> 15)).wrapping_mul(739_982_445);
    let h = (h ^ (h >> 12)).wrapping_mul(695_872_825);
    f64::from((h ^ (h >> 15)) % 256)
}
