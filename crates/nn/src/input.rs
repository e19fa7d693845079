//! How images reach a step: normalised by the host, or as packed 8-bit pixels that the device picks, crops, mirrors and
//! normalises, the whole set lying there if it fits.

use crate::arena::vector;
use crate::error::{NnError, Result};
use chiaro_graph::shape::count;
use chiaro_graph::{ArenaRole, DType, Data, Elementwise, Graph, Initial, RandomKind, Tensor, Var};

/// Steps of the random numbers that choose moves. Twelve bits times a range below 2^12 are exact in f32, so that every backend
/// chooses the same.
const LEVELS: f64 = 4096.0;

/// How images reach a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ImageInput {
    /// `images` f32 `[N,H,W,C]`, as the model takes them.
    #[default]
    Normalized,
    /// Packed 8-bit pixels.
    Pixels(PixelInput),
}

/// Packed 8-bit pixels: rows of u32, one an image, its pixels in the order `[H,W,C]` four to a word, the first in the lowest
/// byte, filled up to a whole word. A pixel becomes `pixel * scale + shift`, by channel.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelInput {
    /// Factor of each channel.
    pub scale: Vec<f32>,
    /// Summand of each channel.
    pub shift: Vec<f32>,
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

/// Random changes of training images, drawn anew for each image of each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    /// Shift by up to so many pixels in each direction, what comes in being 0 (the mean colour); 0 for none. The same as
    /// padding by that many pixels and cropping to the old size.
    pub crop: usize,
    /// Mirror every second image, left to right.
    pub flip: bool,
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
    pub(crate) fn declare(&self, graph: &mut Graph, n: usize, shape: [usize; 3]) -> Result<Given> {
        let ImageInput::Pixels(pixels) = self else {
            return Ok(Given {
                images: graph.input("images", &[n, shape[0], shape[1], shape[2]], DType::F32)?,
                index: None,
            });
        };
        pixels.check(shape)?;
        let words = count(&shape).div_ceil(4);
        let Some(resident) = &pixels.resident else {
            let images = graph.input("pixels", &[n, words], DType::U32)?;
            return Ok(Given { images, index: Some(integers(graph, &[n], (0..n as i32).collect())?) });
        };
        let index = graph.input("index", &[n], DType::I32)?;
        let arena = graph.arena(&resident.arena, DType::U32)?;
        let state = graph.state(arena, &resident.arena, &[resident.images, words])?;
        graph.describe_arena(arena, ArenaRole::Data, Initial::Fill(0.0))?;
        Ok(Given { images: graph.state_value(state)?, index: Some(index) })
    }

    /// Images f32 `[N,H,W,C]` of what was declared; random changes need a key.
    pub(crate) fn record(&self, graph: &mut Graph, given: Given, shape: [usize; 3], key: Option<Var>) -> Result<Var> {
        let (ImageInput::Pixels(pixels), Some(index)) = (self, given.index) else {
            return Ok(given.images);
        };
        let n = graph.shape(index)[0];
        let moves = match key {
            Some(key) if pixels.augment != Augment::default() => pixels.augment.moves(graph, n, key)?,
            _ => integers(graph, &[n, 3], vec![0; 3 * n])?,
        };
        let both = vector(pixels.scale.iter().chain(&pixels.shift).copied().collect());
        let both = graph.constant(both)?;
        let affine = graph.reshape(both, &[2, shape[2]])?;
        Ok(graph.load_images(given.images, index, moves, affine, shape)?)
    }
}

/// What was declared of the images: them or the rows of their pixels, and which rows to take.
#[derive(Clone, Copy)]
pub(crate) struct Given {
    images: Var,
    index: Option<Var>,
}

impl PixelInput {
    fn check(&self, [h, w, c]: [usize; 3]) -> Result<()> {
        if self.scale.len() != c || self.shift.len() != c {
            let (scales, shifts) = (self.scale.len(), self.shift.len());
            return Err(NnError::Option(format!("{scales} factors and {shifts} summands for images of {c} channels")));
        }
        if self.augment.crop >= h.min(w).max(1) || self.augment.crop as f64 * 2.0 + 1.0 >= LEVELS {
            return Err(NnError::Option(format!("a crop by {} pixels of images of {h}x{w}", self.augment.crop)));
        }
        Ok(())
    }
}

impl Augment {
    /// How each image is moved, i32 `[N,3]`: rows, columns, mirrored.
    fn moves(self, graph: &mut Graph, n: usize, key: Var) -> Result<Var> {
        let crop = self.crop as i32;
        let range = f64::from(2 * crop + 1) / LEVELS;
        let mirror = if self.flip { 2.0 / LEVELS } else { 0.0 };
        let range = graph.constant(vector(vec![range as f32, range as f32, mirror as f32]))?;
        let low = integers(graph, &[3], vec![-crop, -crop, 0])?;
        let uniform = graph.random(RandomKind::Uniform, &[n, 3], key)?;
        let level = graph.map_scalars(Elementwise::Mul, uniform, &[LEVELS])?;
        let level = graph.unary(Elementwise::Floor, level)?;
        let chosen = graph.mul(level, range)?;
        let chosen = graph.cast(chosen, DType::I32)?;
        Ok(graph.add(chosen, low)?)
    }
}

fn integers(graph: &mut Graph, shape: &[usize], values: Vec<i32>) -> Result<Var> {
    let zeros = || Tensor::zeros(shape, DType::I32);
    Ok(graph.constant(Tensor::new(shape, Data::I32(values)).unwrap_or_else(zeros))?)
}
