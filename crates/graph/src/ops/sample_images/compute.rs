//! Sampled images on the CPU: whole rows where an image is only shifted or mirrored, else pixel by pixel.

use super::{COLOUR_CHANNELS, Edge, PLACE_ONE, SampleImages};
use crate::custom::{Elements, ElementsMut, TensorType};

const ONE: i32 = PLACE_ONE;

/// Image number `n` of the batch; operands as `Graph::sample_images` has them.
pub(super) fn image(op: &SampleImages, operands: &[(&TensorType, Elements<'_>)], n: usize, result: ElementsMut<'_>) {
    let mut integers = operands.iter().skip(3).map(|(_, elements)| match elements {
        Elements::I32(values) => *values,
        Elements::F32(_) | Elements::U32(_) => &[][..],
    });
    let (pixels, chosen, normalization, out) = match (operands, result) {
        (
            [(_, Elements::U32(pixels)), (_, Elements::I32(chosen)), (_, Elements::F32(normalization)), ..],
            ElementsMut::F32(out),
        ) => (*pixels, *chosen, *normalization, out),
        // `infer` lets no other types pass.
        _ => return,
    };
    let (words, channels) = (op.words(), op.channels());
    let stored = pixels.len() / words;
    let first = (chosen[n].max(0) as usize).min(stored - 1) * words;
    let place = op.placed.then(|| integers.next().unwrap_or_default()).map(|all| &all[9 * n..9 * n + 9]);
    let len = channels * (channels + 1);
    let colour = op.coloured.then(|| integers.next().unwrap_or_default()).map(|all| &all[len * n..len * (n + 1)]);
    let (mean, factor) = normalization.split_at(channels);
    let source = Source { words: &pixels[first..first + words], op, mean, factor };
    let size = op.sampling.size;
    match (place.map_or(Some(Shift::default()), Shift::of), colour) {
        (Some(shift), None) if op.sampling.edge == Edge::Mean => source.shifted(shift, size[1], out),
        (_, colour) => source.between(place, colour, size[1], out),
    }
}

/// A place matrix that moves by whole pixels, and may mirror left to right.
#[derive(Clone, Copy, Default)]
struct Shift {
    rows: i64,
    columns: i64,
    mirrored: bool,
}

impl Shift {
    fn of(place: &[i32]) -> Option<Shift> {
        let &[ONE, 0, rows, 0, across, columns, 0, 0, ONE] = place else { return None };
        let whole = rows % ONE == 0 && columns % ONE == 0 && across.abs() == ONE;
        let [rows, columns] = [rows, columns].map(|by| i64::from(by / ONE));
        whole.then_some(Shift { rows, columns, mirrored: across < 0 })
    }
}

/// An image of the set.
struct Source<'a> {
    words: &'a [u32],
    op: &'a SampleImages,
    mean: &'a [f32],
    factor: &'a [f32],
}

impl Source<'_> {
    fn shifted(&self, shift: Shift, width: usize, out: &mut [f32]) {
        let [rows, columns, channels] = self.op.sampling.source;
        // The columns of the result, from left to right in the image, whose pixels are inside.
        let ends = [0, columns as i64 - 1].map(|column| match shift.mirrored {
            true => shift.columns - column,
            false => column - shift.columns,
        });
        let (left, right) = (ends[0].min(ends[1]).max(0), (ends[0].max(ends[1]) + 1).min(width as i64));
        let count = (right - left).max(0) as usize;
        let left = left.min(width as i64) as usize;
        let first = match shift.mirrored {
            true => shift.columns - (left + count) as i64 + 1,
            false => left as i64 + shift.columns,
        };
        for (y, out) in out.chunks_exact_mut(width * channels).enumerate() {
            let row = usize::try_from(y as i64 + shift.rows).ok().filter(|row| *row < rows && count > 0);
            let Some(row) = row else {
                self.fill(out);
                continue;
            };
            let (before, rest) = out.split_at_mut(left * channels);
            let (run, behind) = rest.split_at_mut(count * channels);
            self.fill(before);
            self.fill(behind);
            self.normalize((row * columns + first as usize) * channels, run);
            if shift.mirrored {
                mirror(run, channels);
            }
        }
    }

    /// Normalises the pixels from number `start`, a multiple of the channels, on.
    fn normalize(&self, start: usize, out: &mut [f32]) {
        if cfg!(target_endian = "big") {
            for (i, o) in out.iter_mut().enumerate() {
                let c = i % self.mean.len();
                *o = (f32::from(self.byte(start + i)) - self.mean[c]) * self.factor[c];
            }
            return;
        }
        let pixels: &[u8] = &bytemuck::cast_slice(self.words)[start..start + out.len()];
        // The usual channel counts as constants, so that the compiler unrolls the inner loop.
        match (self.mean, self.factor) {
            (&[mean], &[factor]) => {
                out.iter_mut().zip(pixels).for_each(|(o, &p)| *o = (f32::from(p) - mean) * factor);
            }
            (&[m0, m1, m2], &[f0, f1, f2]) => {
                let (mean, factor) = ([m0, m1, m2], [f0, f1, f2]);
                for (o, p) in out.as_chunks_mut::<3>().0.iter_mut().zip(pixels.as_chunks::<3>().0) {
                    *o = std::array::from_fn(|c| (f32::from(p[c]) - mean[c]) * factor[c]);
                }
            }
            (mean, factor) => {
                for ((o, &p), (mean, factor)) in out.iter_mut().zip(pixels).zip(mean.iter().zip(factor).cycle()) {
                    *o = (f32::from(p) - mean) * factor;
                }
            }
        }
    }

    /// The mean of a channel in units of 2^-16.
    fn fixed_mean(&self, c: usize) -> u32 {
        (self.mean[c] * 65536.0) as u32
    }

    /// Where nothing of the image is.
    fn fill(&self, out: &mut [f32]) {
        for (i, o) in out.iter_mut().enumerate() {
            let c = i % self.mean.len();
            *o = self.normalized(self.fixed_mean(c), c);
        }
    }

    fn byte(&self, at: usize) -> u8 {
        self.words[at / 4].to_le_bytes()[at % 4]
    }

    /// Every pixel by itself.
    fn between(&self, place: Option<&[i32]>, colour: Option<&[i32]>, width: usize, out: &mut [f32]) {
        let channels = self.mean.len();
        for (i, out) in out.chunks_exact_mut(channels).enumerate() {
            let spot = match place {
                None => Some([256 * (i / width) as i32, 256 * (i % width) as i32]),
                Some(place) => spot(place, (i / width) as i32, (i % width) as i32),
            };
            let taps = spot.map(|at| self.taps(at));
            let Some(colour) = colour else {
                for (c, o) in out.iter_mut().enumerate() {
                    *o = self.normalized(self.sampled(&taps, c), c);
                }
                continue;
            };
            let values: [i32; COLOUR_CHANNELS] = std::array::from_fn(|k| match k < channels {
                true => (self.sampled(&taps, k) >> 10) as i32,
                false => 0,
            });
            for ((c, o), row) in out.iter_mut().enumerate().zip(colour.chunks_exact(channels + 1)) {
                let mixed = row[..channels].iter().zip(values).map(|(m, v)| m.wrapping_mul(v));
                let sum = mixed.fold(row[channels].wrapping_mul(64), i32::wrapping_add);
                *o = self.normalized(sum.clamp(0, 255 << 18) as u32 >> 2, c);
            }
        }
    }

    /// A value in units of 2^-16, normalised.
    fn normalized(&self, value: u32, c: usize) -> f32 {
        (value as f32 * (1.0 / 65536.0) - self.mean[c]) * self.factor[c]
    }

    /// The four pixels around a place in units of 1/256 pixel.
    fn taps(&self, at: [i32; 2]) -> Taps {
        let [rows, columns, channels] = self.op.sampling.source;
        let (corner, next) = (at.map(|a| a >> 8), at.map(|a| (a & 255) as u32));
        let along = |axis: usize, n: usize| {
            [0, 1].map(|by| {
                let weight = if by == 0 { 256 - next[axis] } else { next[axis] };
                (within(corner[axis].wrapping_add(by), n as i32, self.op.sampling.edge), weight)
            })
        };
        let (down, across) = (along(0, rows), along(1, columns));
        let mut taps = Taps { at: [0; 4], weights: [0; 4], outside: 0 };
        for i in 0..4 {
            let ((row, a), (column, b)) = (down[i / 2], across[i % 2]);
            match (row, column) {
                (Some(row), Some(column)) => {
                    taps.at[i] = (row * columns + column) * channels;
                    taps.weights[i] = a * b;
                }
                (None, _) | (_, None) => taps.outside += a * b,
            }
        }
        taps
    }

    /// A channel in units of 2^-16.
    fn sampled(&self, taps: &Option<Taps>, c: usize) -> u32 {
        let mean = self.fixed_mean(c);
        let Some(taps) = taps.as_ref().filter(|t| t.outside < 1 << 16) else { return mean };
        let pixels = taps.at.iter().zip(taps.weights);
        let inside: u32 = pixels.map(|(at, weight)| weight * u32::from(self.byte(at + c))).sum();
        inside + (((taps.outside >> 1) * (mean >> 8)) >> 7)
    }
}

/// Pixels with their weights in units of 2^-16, and the weight of what lies outside.
struct Taps {
    at: [usize; 4],
    weights: [u32; 4],
    outside: u32,
}

/// Row and column in units of 1/256 pixel; `None` behind the viewer.
fn spot(m: &[i32], y: i32, x: i32) -> Option<[i32; 2]> {
    let row = |r: usize| m[r].wrapping_mul(y).wrapping_add(m[r + 1].wrapping_mul(x)).wrapping_add(m[r + 2]);
    let (places, w) = ([row(0), row(3)], row(6));
    if w == ONE {
        return Some(places.map(|p| p.wrapping_add(128) >> 8));
    }
    let d = w >> 4;
    let quotient = |p: i32| p.div_euclid(d).wrapping_mul(16).wrapping_add(p.rem_euclid(d).wrapping_mul(16) / d);
    (d > 0).then(|| places.map(quotient))
}

/// The pixel of an axis of `n` at a place.
fn within(at: i32, n: i32, edge: Edge) -> Option<usize> {
    match edge {
        Edge::Mean => (0..n).contains(&at).then_some(at as usize),
        Edge::Reflect => {
            let past = at.rem_euclid((2 * (n - 1)).max(1));
            Some(past.min(2 * (n - 1) - past) as usize)
        }
    }
}

/// Brings pixels of `channels` floats into the opposite order.
fn mirror(row: &mut [f32], channels: usize) {
    if channels == 1 {
        return row.reverse();
    }
    let half = row.len() / channels / 2 * channels;
    let (front, back) = row.split_at_mut(row.len() - half);
    for (a, b) in front.chunks_exact_mut(channels).zip(back.chunks_exact_mut(channels).rev()) {
        a.swap_with_slice(b);
    }
}
