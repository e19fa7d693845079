//! How images reach a step: normalised by the host, or as packed 8-bit pixels that the device picks, crops, mirrors and
//! normalises, the whole set lying there if it fits.

use crate::arena::vector;
use crate::augment::{Augment, StepKey};
use crate::error::{NnError, Result};
use chiaro_graph::shape::count;
use chiaro_graph::{ArenaRole, CHANGES, DType, Data, Graph, Initial, SampleBy, Sampling, Tensor, Var};

/// How images reach a step.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there is one of it a step")]
pub enum ImageInput {
    /// `images` f32 `[N,H,W,C]`, as the model takes them.
    #[default]
    Normalized,
    /// Packed 8-bit pixels.
    Pixels(PixelInput),
}

/// Packed 8-bit pixels: rows of u32, one an image, its pixels in the order `[H,W,C]` four to a word, the first in the lowest
/// byte, filled up to a whole word. A pixel becomes `(pixel / 255 - mean) / std`, by channel.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelInput {
    /// Mean of each channel, from 0 to 1.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel.
    pub std: Vec<f32>,
    /// Random changes in training.
    pub augment: Augment,
    /// The set on the device. With it a step takes `index` i32 `[N]` into the set, without it `pixels` u32 `[N,words]`.
    pub resident: Option<Resident>,
}

/// A set of images on the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// Its arena, as [`data_arena`] names it: u32, a row of packed pixels for each image.
    pub arena: String,
    /// Images in it.
    pub images: usize,
}

/// The name of the arena of a data set.
pub fn data_arena(set: &str) -> String {
    format!("data/{set}")
}

impl ImageInput {
    /// The same for evaluation: nothing random, the set of `resident`.
    pub fn evaluating(&self, resident: Option<Resident>) -> ImageInput {
        match self {
            ImageInput::Normalized => ImageInput::Normalized,
            ImageInput::Pixels(pixels) => {
                ImageInput::Pixels(PixelInput { augment: Augment::default(), resident, ..pixels.clone() })
            }
        }
    }

    /// Declares the input, and the arena of a set on the device.
    pub(crate) fn declare(&self, graph: &mut Graph, n: usize, shape: [usize; 3]) -> Result<DeclaredImages> {
        let ImageInput::Pixels(pixels) = self else {
            return Ok(DeclaredImages {
                images: graph.input("images", &[n, shape[0], shape[1], shape[2]], DType::F32)?,
                index: None,
            });
        };
        pixels.check(shape)?;
        if n == 1 && pixels.augment.mixes() {
            return Err(NnError::Option("images are mixed with others of their batch: it must have 2 at least".into()));
        }
        let words = count(&shape).div_ceil(4);
        let Some(resident) = &pixels.resident else {
            let images = graph.input("pixels", &[n, words], DType::U32)?;
            return Ok(DeclaredImages { images, index: Some(integers(graph, &[n], (0..n as i32).collect())?) });
        };
        let index = graph.input("index", &[n], DType::I32)?;
        let arena = graph.arena(&resident.arena, DType::U32)?;
        let state = graph.state(arena, &resident.arena, &[resident.images, words])?;
        graph.describe_arena(arena, ArenaRole::Data, Initial::Fill(0.0))?;
        Ok(DeclaredImages { images: graph.state_value(state)?, index: Some(index) })
    }

    /// Images f32 `[N,H,W,C]` of what was declared, changed as a step's inputs say where there is an [`Augment`]. Its inputs are declared here.
    pub(crate) fn record(&self, graph: &mut Graph, given: DeclaredImages, shape: [usize; 3]) -> Result<Var> {
        let (ImageInput::Pixels(input), Some(chosen)) = (self, given.index) else {
            return Ok(given.images);
        };
        let n = graph.shape(chosen)[0];
        let augment = &input.augment;
        let mut declared = |there: bool, name: &str, extents: &[usize]| match there {
            true => graph.input(name, &[&[n], extents].concat(), DType::I32).map(Some),
            false => Ok(None),
        };
        let place = declared(augment.places(), "place", &[3, 3])?;
        let colour = declared(augment.colours(), "colour", &[shape[2], shape[2] + 1])?;
        let changes = declared(augment.changes(), "changes", &[CHANGES])?;
        let tone = declared(augment.tones(), "tone", &[2])?;
        let tones = tone.map(|tone| graph.tone_tables(given.images, chosen, tone, shape)).transpose()?;
        let both = graph.constant(vector(input.normalization()))?;
        let normalization = graph.reshape(both, &[2, shape[2]])?;
        let sampling = Sampling { source: shape, size: [shape[0], shape[1]], edge: augment.edge };
        let by = SampleBy { place, colour, changes, tones };
        Ok(graph.sample_images(given.images, chosen, normalization, by, sampling)?)
    }

    /// The shares of each image's own target and of that which stands opposite in the batch, f32 `[2]`, where images are mixed.
    pub(crate) fn record_shares(&self, graph: &mut Graph) -> Result<Option<Var>> {
        Ok(match self {
            ImageInput::Pixels(pixels) if pixels.augment.mixes() => Some(graph.input("mix", &[2], DType::F32)?),
            ImageInput::Pixels(_) | ImageInput::Normalized => None,
        })
    }

    /// What a step is given beside the images, in the graph's order.
    pub(crate) fn drawn(&self, key: &StepKey<'_>, n: usize, shape: [usize; 3]) -> Vec<Tensor> {
        match self {
            ImageInput::Normalized => vec![],
            ImageInput::Pixels(pixels) => pixels.augment.draw(key, n, shape, &pixels.mean),
        }
    }
}

/// What was declared of the images: them or the rows of their pixels, and which rows to take.
#[derive(Clone, Copy)]
pub(crate) struct DeclaredImages {
    images: Var,
    index: Option<Var>,
}

impl PixelInput {
    fn check(&self, [h, w, c]: [usize; 3]) -> Result<()> {
        if self.mean.len() != c || self.std.len() != c {
            let (means, deviations) = (self.mean.len(), self.std.len());
            return Err(NnError::Option(format!(
                "{means} means and {deviations} deviations for images of {c} channels"
            )));
        }
        let fits = |m: &f32| (0.0..=1.0).contains(m);
        if !self.mean.iter().all(fits) || self.std.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
            let (mean, std) = (&self.mean, &self.std);
            return Err(NnError::Option(format!(
                "pixels from 0 to 1 cannot have the mean {mean:?} and deviation {std:?}"
            )));
        }
        self.augment.check([h, w, c])
    }

    /// Means in steps of 2^-16 from 0 to 255, then factors.
    fn normalization(&self) -> Vec<f32> {
        let mean = self.mean.iter().map(|m| ((f64::from(*m) * 255.0 * 65536.0).round() / 65536.0) as f32);
        mean.chain(self.std.iter().map(|s| (1.0 / (255.0 * f64::from(*s))) as f32)).collect()
    }
}

fn integers(graph: &mut Graph, shape: &[usize], values: Vec<i32>) -> Result<Var> {
    let zeros = || Tensor::zeros(shape, DType::I32);
    Ok(graph.constant(Tensor::new(shape, Data::I32(values)).unwrap_or_else(zeros))?)
}
