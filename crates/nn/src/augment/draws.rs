//! The inputs of a step that say what is done to each of its images, drawn by seed, step and image.

use super::colours::Colours;
use super::geometry::Matrix;
use super::mix::Mix;
use super::policy::Strength;
use super::{Augment, Flip};
use crate::arena::vector;
use chiaro_graph::{CHANGES, DType, Data, Tensor, Tone, random_words};

/// Tells these random numbers from those of a graph's ops.
const SALT: u32 = u32::MAX;

/// Blocks of random words for an image: each kind of change has its own, so that one more changes no other.
const BLOCKS: u32 = 32;

/// What the random changes of a step are drawn by.
#[derive(Clone, Copy, Debug, Default)]
pub struct StepKey<'a> {
    /// Seed of the run.
    pub seed: u64,
    /// Number of the step in the run, from 0.
    pub step: u64,
    /// Number of the epoch, from 0.
    pub epoch: u64,
    /// Which images of the data set these are; empty if that is not known.
    pub rows: &'a [usize],
}

/// The random numbers of an image.
#[derive(Clone, Copy)]
pub(super) struct Stream {
    key: [u32; 3],
    image: u32,
}

impl Stream {
    pub fn new(key: &StepKey<'_>, image: u32) -> Stream {
        Stream { key: [key.seed as u32, (key.seed >> 32) as u32, key.step as u32], image }
    }

    /// Four numbers from 0 to below 1 for a kind of change.
    pub fn four(&self, kind: u32) -> [f64; 4] {
        random_words(self.key, SALT, self.image * BLOCKS + kind).map(|word| f64::from(word) / 2f64.powi(32))
    }

    /// The same from -1 to below 1.
    pub fn both_ways(&self, kind: u32) -> [f64; 4] {
        self.four(kind).map(|u| 2.0 * u - 1.0)
    }
}

/// What is done to one image.
pub(super) struct Drawn {
    /// From places of the result to those of the image.
    pub place: Matrix,
    pub colours: Colours,
    pub tone: Tone,
    /// Distance in pixels, and the share of the difference to what is around that is added.
    pub blur: [f64; 2],
    /// Rows from, to, columns from, to.
    pub erased: [i32; 4],
}

impl Augment {
    /// The inputs of a step: `place`, `colour`, `changes`, `tone` and `mix`, those of them that this augmentation has. `mean` is that of the
    /// data set's pixels, by channel from 0 to 1.
    pub(crate) fn draw(&self, key: &StepKey<'_>, n: usize, [h, w, c]: [usize; 3], mean: &[f32]) -> Vec<Tensor> {
        let mix =
            if self.mixes() { Mix::draw(self, &Stream::new(key, u32::MAX / BLOCKS), [h, w]) } else { Mix::none() };
        let (mut place, mut colour, mut changes, mut tones) = (vec![], vec![], vec![], vec![]);
        for image in 0..n {
            let drawn = self.drawn(key, image, [h, w], mean);
            place.extend(drawn.place.fixed());
            colour.extend(drawn.colours.fixed(c));
            let [distance, amount] = drawn.blur.map(|v| (v * 256.0).round() as i32);
            changes.extend([distance, amount]);
            changes.extend(drawn.erased);
            changes.extend([0, (n - 1 - image) as i32]);
            changes.extend(mix.numbers());
            tones.extend(drawn.tone.numbers());
        }
        let integers = |there: bool, shape: &[usize], values: Vec<i32>| {
            let zeros = || Tensor::zeros(shape, DType::I32);
            there.then(|| Tensor::new(shape, Data::I32(values)).unwrap_or_else(zeros))
        };
        let mut inputs: Vec<Tensor> = vec![];
        inputs.extend(integers(self.places(), &[n, 3, 3], place));
        inputs.extend(integers(self.colours(), &[n, c, c + 1], colour));
        inputs.extend(integers(self.changes(), &[n, CHANGES], changes));
        inputs.extend(integers(self.tones(), &[n, 2], tones));
        inputs.extend(self.mixes().then(|| vector(mix.shares().to_vec())));
        inputs
    }

    /// What is done to image number `image` of a step.
    fn drawn(&self, key: &StepKey<'_>, image: usize, size: [usize; 2], mean: &[f32]) -> Drawn {
        let stream = Stream::new(key, image as u32);
        let mut drawn = Drawn {
            place: Matrix::IDENTITY,
            colours: Colours::new(mean),
            tone: self.tone(stream.four(8)),
            blur: [0.0; 2],
            erased: [0; 4],
        };
        let [rows, columns, flipped, _] = stream.four(0);
        if let Some(least) = self.resized_crop {
            drawn.place = drawn.place.then(Matrix::resized_crop(size, least, stream.four(1)));
        }
        let shift = |u: f64| (u * (2 * self.crop + 1) as f64).floor() - self.crop as f64;
        drawn.place = drawn.place.then(Matrix::shift(shift(rows), shift(columns)));
        drawn.place = drawn
            .place
            .then(Matrix::flips(size, [stream.four(2)[0] < self.vertical_flip, self.flips(key, image, flipped)]));
        let [turn, down, across, _] = stream.both_ways(3);
        let [by_rows, by_columns, ..] = stream.both_ways(4);
        let shear = [down, across].map(|u| u * self.shear);
        let translate = [by_rows, by_columns].map(|u| u * self.translate);
        drawn.place = drawn.place.then(Matrix::affine(size, turn * self.rotate, shear, translate));
        if self.perspective > 0.0 {
            let inwards = [stream.four(5), stream.four(6)].concat();
            drawn.place = drawn.place.then(Matrix::perspective(size, self.perspective, &inwards));
        }
        let [brightness, contrast, saturation, hue] = stream.both_ways(7);
        drawn.colours.brightness(1.0 + brightness * self.brightness);
        drawn.colours.contrast(1.0 + contrast * self.contrast);
        drawn.colours.saturation(1.0 + saturation * self.saturation);
        drawn.colours.hue(hue * self.hue);
        let [grey, blurred, radius, erased] = stream.four(9);
        if grey < self.grey {
            drawn.colours.saturation(0.0);
        }
        if blurred < self.blur {
            drawn.blur = [0.5 + radius, 1.0];
        }
        if erased < self.erase {
            drawn.erased = rectangle(size, stream.four(10));
        }
        self.policy.draw(&stream, &mut Strength { drawn: &mut drawn, size });
        drawn
    }

    fn flips(&self, key: &StepKey<'_>, image: usize, u: f64) -> bool {
        match (self.flip, key.rows.get(image)) {
            (Flip::Never, _) => false,
            (Flip::Random(share), _) => u < share,
            (Flip::Alternating, None) => u < 0.5,
            (Flip::Alternating, Some(row)) => {
                let first = random_words([key.seed as u32, (key.seed >> 32) as u32, 0], SALT - 1, *row as u32)[0] % 2;
                (u64::from(first) + key.epoch).is_multiple_of(2)
            }
        }
    }

    fn tone(&self, [u, ..]: [f64; 4]) -> Tone {
        match u {
            _ if u < self.posterize => Tone::Posterize(4),
            _ if u < self.posterize + self.solarize => Tone::Solarize(128),
            _ if u < self.posterize + self.solarize + self.equalize => Tone::Equalize,
            _ => Tone::Same,
        }
    }
}

/// A rectangle of 2 to 33 % of the area, its aspect from 0.3 to 3.3 (the usual numbers of random erasing).
fn rectangle([h, w]: [usize; 2], [area, aspect, down, across]: [f64; 4]) -> [i32; 4] {
    let area = (0.02 + 0.31 * area) * (h * w) as f64;
    let aspect = (0.3f64.ln() + aspect * (3.3f64 / 0.3).ln()).exp();
    let side = |length: f64, whole: usize, u: f64| {
        let length = length.round().clamp(1.0, whole as f64);
        let from = (u * (whole as f64 - length + 1.0)).floor();
        [from as i32, (from + length) as i32]
    };
    let (rows, columns) = (side((area * aspect).sqrt(), h, down), side((area / aspect).sqrt(), w, across));
    [rows[0], rows[1], columns[0], columns[1]]
}
