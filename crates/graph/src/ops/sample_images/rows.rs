//! Sampled images on the CPU that are only shifted by whole pixels or mirrored, row by row.

use super::PLACE_ONE;
use super::compute::{SampledBatch, byte};

const ONE: i32 = PLACE_ONE;

/// A place matrix that moves by whole pixels, and may mirror left to right.
#[derive(Clone, Copy, Default)]
pub(super) struct Shift {
    rows: i64,
    columns: i64,
    mirrored: bool,
}

impl Shift {
    pub fn of(place: &[i32]) -> Option<Shift> {
        let &[ONE, 0, rows, 0, across, columns, 0, 0, ONE] = place else { return None };
        let whole = rows % ONE == 0 && columns % ONE == 0 && [ONE, -ONE].contains(&across);
        let [rows, columns] = [rows, columns].map(|by| i64::from(by / ONE));
        whole.then_some(Shift { rows, columns, mirrored: across < 0 })
    }
}

impl SampledBatch<'_> {
    /// Where nothing of the image is.
    fn fill(&self, out: &mut [f32]) {
        for (i, o) in out.iter_mut().enumerate() {
            let c = i % self.mean.len();
            *o = self.normalized(self.fixed_mean(c), c);
        }
    }

    /// An image that is moved by whole pixels.
    pub fn shifted(&self, n: usize, shift: Shift, width: usize, out: &mut [f32]) {
        let [rows, columns, channels] = self.op.sampling.source;
        // The columns of the result, from left to right, whose pixels are inside.
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
        let words = self.picture(n).words;
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
            self.normalize(words, (row * columns + first as usize) * channels, run);
            if shift.mirrored {
                mirror(run, channels);
            }
        }
    }

    /// Normalises the pixels from number `start`, a multiple of the channels, on.
    fn normalize(&self, words: &[u32], start: usize, out: &mut [f32]) {
        if cfg!(target_endian = "big") {
            for (i, o) in out.iter_mut().enumerate() {
                let c = i % self.mean.len();
                *o = (f32::from(byte(words, start + i)) - self.mean[c]) * self.factor[c];
            }
            return;
        }
        let pixels: &[u8] = &bytemuck::cast_slice(words)[start..start + out.len()];
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
