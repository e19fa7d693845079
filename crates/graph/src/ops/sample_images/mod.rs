//! The op that makes a batch of images of a set of packed 8-bit pixels: every geometric change by one matrix an image, every
//! change of colours by another, and the normalisation, in one kernel. Up to the last two operations everything is whole
//! numbers, so that all backends give the same bits.

mod compute;
mod reference;
mod rows;

use crate::custom::{CustomOp, Elements, ElementsMut, TensorType};
use crate::dtype::DType;
use crate::error::Result;
use crate::graph::{Graph, Var};

/// 1 in a place matrix.
pub const PLACE_ONE: i32 = 1 << 16;

/// 1 in a colour matrix.
pub const COLOUR_ONE: i32 = 1 << 12;

/// Numbers of the changes of an image.
pub const CHANGES: usize = 14;

/// The most channels of images whose colours are changed.
pub const MIXED_CHANNELS: usize = 4;

/// Sides of images are below this, so that their places fit 32 bits.
const SIDES: usize = 1 << 14;

/// Without a place matrix.
const UNPLACED: &str = "
fn spot(n: u32, y: i32, x: i32) -> Spot {
    return Spot(vec2(y, x) * 256, true);
}
";

/// Without a colour matrix.
const UNCOLOURED: &str = "
fn coloured(taken: Picture, spot: Spot, c: u32) -> u32 {
    return sampled(taken, spot, c);
}
";

/// Without changes.
const UNCHANGED: &str = "
fn sampled(taken: Picture, spot: Spot, c: u32) -> u32 {
    return interpolated(taken, spot, c);
}

fn changed(n: u32, y: i32, x: i32, c: u32) -> u32 {
    return coloured(picture(n), spot(n, y, x), c);
}
";

/// Without tables, and with them.
const UNTONED: &str = "
fn toned(n: u32, c: u32, value: u32) -> u32 {
    return value;
}
";
const TONED: &str = "
fn toned(n: u32, c: u32, value: u32) -> u32 {
    return (tones[(n * CHANNELS + c) * 64u + value / 4u] >> (value % 4u * 8u)) & 255u;
}
";

/// What lies outside of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Edge {
    /// The mean colour, which is normalised to 0.
    #[default]
    Mean,
    /// The image mirrored at its outermost pixels, which are not repeated.
    Reflect,
}

/// Geometry of [`Graph::sample_images`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sampling {
    /// Height, width and channels of the images of the set.
    pub source: [usize; 3],
    /// Height and width of the result.
    pub size: [usize; 2],
    /// What is taken where a place lies outside.
    pub edge: Edge,
}

impl Graph {
    /// Images f32 `[N,H,W,C]` taken from a set, moved, coloured and normalised: `(value - mean) * factor`.
    ///
    /// - `pixels` u32 `[S,words]`: a row for each image, its H W C pixels four to a word, the first in the lowest byte, filled up to
    ///   whole words.
    /// - `chosen` i32 `[N]`: which images. An index outside is an error of the step where it is an input's; where the device
    ///   computed it, it is moved inside.
    /// - `normalization` f32 `[2,C]`: the mean of each channel, in steps of 2^-16 from 0 to 255, and the factor of what is above it.
    /// - `place` i32 `[N,3,3]`, in units of 2^-16 ([`PLACE_ONE`]): row and column y, x of the result are taken from row u / w and
    ///   column v / w of the image, where (u, v, w) is the matrix times (y, x, 1) and whole numbers are the middles of pixels.
    ///   Absent: from y, x.
    /// - `colour` i32 `[N,C,C+1]`, in units of 2^-12 ([`COLOUR_ONE`]): each channel's value is its row times the pixel's channels and
    ///   1, held between 0 and 255. Absent: as they are.
    /// - `changes` i32 `[N,14]`: the distance of the pixels around that a pixel is blurred with, in units of 2^-8 pixel, and how much of
    ///   the difference to their mean (weights 1 2 1 both ways) is added, in units of 2^-8 (256 blurs, what is below 0 sharpens); a rectangle of
    ///   the result that is erased (rows from, to, columns from, to) and 0 for the mean colour, else a seed of noise; which other
    ///   image of the batch is mixed in, its share outside and inside of a rectangle in units of 2^-8, and that rectangle. Absent: none.
    /// - `tones` u32 `[N,C,64]`: a byte for each of the 256 of the set's pixels, four to a word ([`Graph::tone_tables`]). Absent: as they are.
    ///
    /// In this order: tones, place, blur, colour, erased, mixed. All but the first four are for images of at most four channels.
    /// Places are rounded to 1/256 of a pixel, and what lies between pixels is interpolated between the four around it (bilinear);
    /// where w is not 1 it is divided by with 12 digits. Everything but the normalisation is whole numbers, the same on every
    /// backend. No gradient passes.
    ///
    /// # Errors
    /// If types or extents do not fit, sides are 2^14 or longer, or fixed indices are outside.
    pub fn sample_images(
        &mut self,
        pixels: Var,
        chosen: Var,
        normalization: Var,
        by: SampleBy,
        sampling: Sampling,
    ) -> Result<Var> {
        let op = SampleImages {
            sampling,
            placed: by.place.is_some(),
            coloured: by.colour.is_some(),
            changed: by.changes.is_some(),
            toned: by.tones.is_some(),
        };
        let rest = [by.place, by.colour, by.changes, by.tones].into_iter().flatten();
        let operands: Vec<Var> = [pixels, chosen, normalization].into_iter().chain(rest).collect();
        self.custom(op, &operands)
    }
}

/// How [`Graph::sample_images`] changes each image.
#[derive(Clone, Copy, Debug, Default)]
pub struct SampleBy {
    /// Where pixels are taken.
    pub place: Option<Var>,
    /// How channels are mixed.
    pub colour: Option<Var>,
    /// Blur, erased rectangles, and what is mixed in.
    pub changes: Option<Var>,
    /// What becomes of the set's bytes.
    pub tones: Option<Var>,
}

/// Elements that a call reads of operands of which the first is a set of images: of it as many rows as are chosen.
pub(super) fn chosen_reads(operands: &[TensorType], result: &TensorType) -> Vec<usize> {
    let mut reads: Vec<usize> = operands.iter().map(TensorType::len).collect();
    let [stored, words] = [0, 1].map(|axis| operands[0].shape[axis]);
    reads[0] = words * stored.min(result.shape[0]);
    reads
}

#[derive(Clone, Copy, Debug)]
struct SampleImages {
    sampling: Sampling,
    placed: bool,
    coloured: bool,
    changed: bool,
    toned: bool,
}

impl SampleImages {
    fn channels(&self) -> usize {
        self.sampling.source[2]
    }

    /// Words of an image of the set.
    fn words(&self) -> usize {
        self.sampling.source.iter().product::<usize>().div_ceil(4)
    }

    /// Types that the operands of a set of `stored` images must have for a batch of `n`.
    fn wanted(&self, stored: usize, n: usize) -> Vec<TensorType> {
        let c = self.channels();
        let of = |shape: &[usize], dtype| TensorType { shape: shape.to_vec(), dtype };
        let mut all = vec![of(&[stored, self.words()], DType::U32), of(&[n], DType::I32), of(&[2, c], DType::F32)];
        all.extend(self.placed.then(|| of(&[n, 3, 3], DType::I32)));
        all.extend(self.coloured.then(|| of(&[n, c, c + 1], DType::I32)));
        all.extend(self.changed.then(|| of(&[n, CHANGES], DType::I32)));
        all.extend(self.toned.then(|| of(&[n, c, 64], DType::U32)));
        all
    }
}

impl CustomOp for SampleImages {
    fn name(&self) -> &'static str {
        "sample_images"
    }

    fn operands(&self) -> Vec<&'static str> {
        let mut names = vec!["pixels", "chosen", "normalization"];
        names.extend(self.placed.then_some("place"));
        names.extend(self.coloured.then_some("colour"));
        names.extend(self.changed.then_some("changes"));
        names.extend(self.toned.then_some("tones"));
        names
    }

    fn infer(&self, operands: &[TensorType]) -> std::result::Result<TensorType, String> {
        let Sampling { source: [height, width, channels], size, .. } = self.sampling;
        if [height, width, size[0], size[1]].iter().any(|side| !(1..SIDES).contains(side)) || channels == 0 {
            return Err(format!(
                "images of {:?} sampled at {size:?}: sides are from 1 to {}",
                self.sampling.source,
                SIDES - 1
            ));
        }
        if (self.coloured || self.changed || self.toned) && channels > MIXED_CHANNELS {
            return Err(format!("colours are changed of at most {MIXED_CHANNELS} channels, not {channels}"));
        }
        let first = |i: usize| operands.get(i).and_then(|t| t.shape.first()).copied().unwrap_or(0);
        let (stored, n) = (first(0), first(1));
        let wanted = self.wanted(stored, n);
        if operands != wanted || stored == 0 || n == 0 {
            let list: Vec<String> = self
                .operands()
                .iter()
                .zip(&wanted)
                .map(|(name, t)| format!("{name} {} {:?}", t.dtype, t.shape))
                .collect();
            return Err(format!("for images of {:?} takes {}", self.sampling.source, list.join(", ")));
        }
        Ok(TensorType { shape: vec![n, size[0], size[1], channels], dtype: DType::F32 })
    }

    fn indices(&self, operands: &[TensorType]) -> Vec<(usize, usize)> {
        vec![(1, operands[0].shape[0])]
    }

    fn reads(&self, operands: &[TensorType], result: &TensorType) -> Vec<usize> {
        chosen_reads(operands, result)
    }

    fn reference(&self, operands: &[(&TensorType, &[f64])], result: &TensorType) -> Vec<f64> {
        reference::images(self, operands, result)
    }

    fn pieces(&self, result: &TensorType) -> usize {
        result.shape[0]
    }

    fn compute(&self, operands: &[(&TensorType, Elements<'_>)], piece: usize, result: ElementsMut<'_>) {
        compute::image(self, operands, piece, result);
    }

    fn wgsl(&self, operands: &[TensorType], result: &TensorType) -> String {
        let Sampling { source: [rows, columns, channels], edge, .. } = self.sampling;
        let constants = [
            ("STORED", operands[0].shape[0]),
            ("BATCH", result.shape[0]),
            ("WORDS", self.words()),
            ("ROWS", rows),
            ("COLUMNS", columns),
            ("HEIGHT", result.shape[1]),
            ("WIDTH", result.shape[2]),
            ("CHANNELS", channels),
        ];
        let mut text: String =
            constants.iter().map(|(name, value)| format!("const {name}: u32 = {value}u;\n")).collect();
        text += &format!("const REFLECT: bool = {};\n", edge == Edge::Reflect);
        text += include_str!("sample_images.wgsl");
        text += if self.placed { include_str!("place.wgsl") } else { UNPLACED };
        text += if self.toned { TONED } else { UNTONED };
        text += if self.changed { include_str!("changes.wgsl") } else { UNCHANGED };
        text += if self.coloured { include_str!("colour.wgsl") } else { UNCOLOURED };
        text
    }
}
