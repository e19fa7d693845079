//! Sampled images on the CPU, pixel by pixel; `rows` has those that are only shifted or mirrored.

use super::rows::Shift;
use super::{CHANGES, Edge, MIXED_CHANNELS, PLACE_ONE, SampleImages};
use crate::custom::{Elements, ElementsMut, TensorType};

const ONE: i32 = PLACE_ONE;

/// The largest value in units of 2^-16.
const MOST: i32 = 255 << 16;

/// Image number `n` of the batch; operands as `Graph::sample_images` has them.
pub(super) fn image(op: &SampleImages, operands: &[(&TensorType, Elements<'_>)], n: usize, result: ElementsMut<'_>) {
    // `infer` lets no other types pass.
    if let (Some(batch), ElementsMut::F32(out)) = (SampledBatch::of(op, operands), result) {
        batch.image(n, out);
    }
}

/// The operands.
pub(super) struct SampledBatch<'a> {
    pub op: &'a SampleImages,
    pixels: &'a [u32],
    chosen: &'a [i32],
    pub mean: &'a [f32],
    pub factor: &'a [f32],
    place: Option<&'a [i32]>,
    colour: Option<&'a [i32]>,
    changes: Option<&'a [i32]>,
    tones: Option<&'a [u32]>,
}

impl<'a> SampledBatch<'a> {
    fn of(op: &'a SampleImages, operands: &[(&TensorType, Elements<'a>)]) -> Option<SampledBatch<'a>> {
        let [(_, Elements::U32(pixels)), (_, Elements::I32(chosen)), (_, Elements::F32(normalization)), rest @ ..] =
            operands
        else {
            return None;
        };
        let (mean, factor) = normalization.split_at(op.channels());
        let mut batch =
            SampledBatch { op, pixels, chosen, mean, factor, place: None, colour: None, changes: None, tones: None };
        let mut rest = rest.iter().map(|(_, elements)| *elements);
        let mut integers = |there: bool| match there.then(|| rest.next())? {
            Some(Elements::I32(values)) => Some(values),
            Some(Elements::F32(_) | Elements::U32(_)) | None => None,
        };
        batch.place = integers(op.placed);
        batch.colour = integers(op.coloured);
        batch.changes = integers(op.changed);
        batch.tones = match operands.last() {
            Some((_, Elements::U32(tables))) if op.toned => Some(tables),
            _ => None,
        };
        Some(batch)
    }

    fn image(&self, n: usize, out: &mut [f32]) {
        let (width, channels) = (self.op.sampling.size[1], self.op.channels());
        let shift = self.place.map_or(Some(Shift::default()), |all| Shift::of(&all[9 * n..9 * n + 9]));
        let plain = self.colour.is_none() && self.tones.is_none() && self.op.sampling.edge == Edge::Mean;
        let changes = self.changes.map(|all| Changes::of(&all[CHANGES * n..][..CHANGES]));
        let quiet = changes.is_none_or(|c| c.quiet());
        if let (Some(shift), true) = (shift, plain && quiet) {
            return self.shifted(n, shift, width, out);
        }
        let picture = self.picture(n);
        for (i, out) in out.chunks_exact_mut(channels).enumerate() {
            let (y, x) = ((i / width) as i32, (i % width) as i32);
            // Without matrices and changes there may be more channels than an array here has.
            if self.colour.is_none() && changes.is_none() {
                let taps = self.spot(n, y, x).map(|at| self.taps(at));
                out.iter_mut().enumerate().for_each(|(c, o)| *o = self.normalized(picture.interpolated(&taps, c), c));
                continue;
            }
            let values = match changes {
                Some(changes) => self.mixed(n, &changes, y, x),
                None => self.coloured(n, None, y, x),
            };
            out.iter_mut().enumerate().for_each(|(c, o)| *o = self.normalized(values[c], c));
        }
    }

    /// An image and a share of another.
    fn mixed(&self, n: usize, changes: &Changes, y: i32, x: i32) -> PixelValues {
        let share = changes.share(y, x);
        let other = || {
            let other = (changes.0[7].max(0) as usize).min(self.chosen.len() - 1);
            let all = self.changes.unwrap_or_default();
            self.single(other, &Changes::of(&all[CHANGES * other..][..CHANGES]), y, x)
        };
        match share {
            0 => self.single(n, changes, y, x),
            256 => other(),
            _ => {
                let (own, other) = (self.single(n, changes, y, x), other());
                std::array::from_fn(|c| (own[c] * (256 - share) + other[c] * share) >> 8)
            }
        }
    }

    /// An image of the batch, a rectangle of it erased.
    fn single(&self, n: usize, changes: &Changes, y: i32, x: i32) -> PixelValues {
        if !changes.covers(2, y, x) {
            return self.coloured(n, Some(changes), y, x);
        }
        let [height, width] = self.op.sampling.size.map(|side| side as u32);
        let channels = self.op.channels() as u32;
        let first = ((n as u32).wrapping_mul(height).wrapping_add(y as u32)).wrapping_mul(width).wrapping_add(x as u32);
        std::array::from_fn(|c| match changes.0[6] {
            _ if c as u32 >= channels => 0,
            0 => self.fixed_mean(c),
            seed => noise(seed as u32, first.wrapping_mul(channels).wrapping_add(c as u32)) << 16,
        })
    }

    /// The channels at a place, blurred or sharpened, their colours mixed.
    fn coloured(&self, n: usize, changes: Option<&Changes>, y: i32, x: i32) -> PixelValues {
        let (picture, channels) = (self.picture(n), self.op.channels());
        let spot = self.spot(n, y, x);
        let taps = spot.map(|at| self.taps(at));
        let mut values: PixelValues =
            std::array::from_fn(|c| if c < channels { picture.interpolated(&taps, c) } else { 0 });
        if let Some(changes) = changes.filter(|c| c.0[1] != 0) {
            self.sharpen(&picture, changes, spot, &mut values[..channels]);
        }
        let Some(colour) = self.colour else { return values };
        let len = channels * (channels + 1);
        let mut rows = colour[len * n..][..len].chunks_exact(channels + 1);
        std::array::from_fn(|_| {
            let Some(row) = rows.next() else { return 0 };
            let mixed = row.iter().zip(values).take(channels).map(|(m, v)| m.wrapping_mul((v >> 10) as i32));
            let sum = mixed.fold(row[channels].wrapping_mul(64), i32::wrapping_add);
            sum.clamp(0, 255 << 18) as u32 >> 2
        })
    }

    fn sharpen(&self, picture: &SampledPicture<'_>, changes: &Changes, spot: Option<[i32; 2]>, values: &mut [u32]) {
        let (by, amount) = (changes.0[0], changes.0[1]);
        let mut around: PixelValues = [0; MIXED_CHANNELS];
        for i in 0..9 {
            let step: [i32; 2] = [i / 3 - 1, i % 3 - 1];
            let weight = ((2 - step[0].abs()) * (2 - step[1].abs())) as u32;
            let moved = |axis: usize, at: i32| at.wrapping_add(step[axis].wrapping_mul(by));
            let taps = spot.map(|[row, column]| self.taps([moved(0, row), moved(1, column)]));
            let channels = around.iter_mut().take(values.len()).enumerate();
            channels.for_each(|(c, sum)| *sum += weight * (picture.interpolated(&taps, c) >> 4));
        }
        for (value, around) in values.iter_mut().zip(around) {
            let difference = (around as i32 - *value as i32) >> 4;
            let more = difference.wrapping_mul(amount) >> 4;
            *value = (*value as i32).wrapping_add(more).clamp(0, MOST) as u32;
        }
    }

    pub fn picture(&self, n: usize) -> SampledPicture<'_> {
        let words = self.op.words();
        let image = (self.chosen[n].max(0) as usize).min(self.pixels.len() / words - 1);
        let len = 64 * self.op.channels();
        let tones = self.tones.map(|all| &all[len * n..][..len]);
        SampledPicture { batch: self, words: &self.pixels[image * words..][..words], tones }
    }

    /// Row and column in units of 1/256 pixel; `None` behind the viewer.
    fn spot(&self, n: usize, y: i32, x: i32) -> Option<[i32; 2]> {
        let Some(m) = self.place.map(|all| &all[9 * n..9 * n + 9]) else { return Some([256 * y, 256 * x]) };
        let row = |r: usize| m[r].wrapping_mul(y).wrapping_add(m[r + 1].wrapping_mul(x)).wrapping_add(m[r + 2]);
        let (places, w) = ([row(0), row(3)], row(6));
        if w == ONE {
            return Some(places.map(|p| p.wrapping_add(128) >> 8));
        }
        let d = w >> 4;
        let quotient = |p: i32| p.div_euclid(d).wrapping_mul(16).wrapping_add(p.rem_euclid(d).wrapping_mul(16) / d);
        (d > 0).then(|| places.map(quotient))
    }

    /// The four pixels around a place.
    fn taps(&self, at: [i32; 2]) -> BilinearTaps {
        let [rows, columns, channels] = self.op.sampling.source;
        let (corner, next) = (at.map(|a| a >> 8), at.map(|a| (a & 255) as u32));
        let along = |axis: usize, n: usize| {
            [0, 1].map(|by| {
                let weight = if by == 0 { 256 - next[axis] } else { next[axis] };
                (within(corner[axis].wrapping_add(by), n as i32, self.op.sampling.edge), weight)
            })
        };
        let (down, across) = (along(0, rows), along(1, columns));
        let mut taps = BilinearTaps { at: [0; 4], weights: [0; 4], outside: 0 };
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

    /// The mean of a channel in units of 2^-16.
    pub fn fixed_mean(&self, c: usize) -> u32 {
        (self.mean[c] * 65536.0) as u32
    }

    /// A value in units of 2^-16, normalised.
    pub fn normalized(&self, value: u32, c: usize) -> f32 {
        (value as f32 * (1.0 / 65536.0) - self.mean[c]) * self.factor[c]
    }
}

/// Channels of a pixel in units of 2^-16.
type PixelValues = [u32; MIXED_CHANNELS];

/// Pixels with their weights in units of 2^-16, and the weight of what lies outside.
struct BilinearTaps {
    at: [usize; 4],
    weights: [u32; 4],
    outside: u32,
}

/// An image of the set.
pub(super) struct SampledPicture<'a> {
    batch: &'a SampledBatch<'a>,
    pub words: &'a [u32],
    tones: Option<&'a [u32]>,
}

impl SampledPicture<'_> {
    /// A channel between pixels, in units of 2^-16.
    fn interpolated(&self, taps: &Option<BilinearTaps>, c: usize) -> u32 {
        let mean = self.batch.fixed_mean(c);
        let Some(taps) = taps.as_ref().filter(|t| t.outside < 1 << 16) else { return mean };
        let toned = |p: u8| self.tones.map_or(p, |tones| byte(&tones[64 * c..], p.into()));
        let pixels = taps.at.iter().zip(taps.weights);
        let inside: u32 = pixels.map(|(at, weight)| weight * u32::from(toned(byte(self.words, at + c)))).sum();
        inside + (((taps.outside >> 1) * (mean >> 8)) >> 7)
    }
}

/// The changes of one image, as `Graph::sample_images` numbers them.
#[derive(Clone, Copy)]
struct Changes<'a>(&'a [i32]);

impl<'a> Changes<'a> {
    fn of(numbers: &'a [i32]) -> Changes<'a> {
        Changes(numbers)
    }

    /// Nothing is changed.
    fn quiet(self) -> bool {
        let empty = |k: usize| self.0[k] >= self.0[k + 1] || self.0[k + 2] >= self.0[k + 3];
        let alone = self.0[8] <= 0 && (self.0[9] <= 0 || empty(10));
        self.0[1] == 0 && empty(2) && alone
    }

    fn covers(self, k: usize, y: i32, x: i32) -> bool {
        (self.0[k]..self.0[k + 1]).contains(&y) && (self.0[k + 2]..self.0[k + 3]).contains(&x)
    }

    /// 256ths of the other image.
    fn share(self, y: i32, x: i32) -> u32 {
        self.0[if self.covers(10, y, x) { 9 } else { 8 }].clamp(0, 256) as u32
    }
}

/// A random byte for each channel of each pixel.
fn noise(seed: u32, at: u32) -> u32 {
    let mut h = seed ^ at.wrapping_mul(2_654_435_761);
    h = (h ^ (h >> 15)).wrapping_mul(739_982_445);
    h = (h ^ (h >> 12)).wrapping_mul(695_872_825);
    (h ^ (h >> 15)) & 255
}

pub(super) fn byte(words: &[u32], at: usize) -> u8 {
    words[at / 4].to_le_bytes()[at % 4]
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
