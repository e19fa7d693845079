//! What is found out about one image.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use super::MEASURED;
use crate::memory::zeroed;
use crate::source::ImageSource;
use crate::{DataError, Resize, Split};

/// The longest side at which sharpness is measured: a large photo is never sharp to the pixel.
const SHARP_SIDE: usize = 256;
/// Images with a shorter side than this are not compared by their looks, which at that size is chance.
const SMALLEST_COMPARED: usize = 48;

/// Where an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The split.
    pub split: Split,
    /// Its class, or its classes.
    pub class: String,
    /// Its file, or its number.
    pub name: String,
}

impl Place {
    pub(super) fn new(split: Split, classes: &[String], source: &ImageSource, shows: &[usize]) -> Place {
        let names: Vec<&str> = shows.iter().map(|&class| classes[class].as_str()).collect();
        let name = match source {
            ImageSource::File(path) => path.display().to_string(),
            ImageSource::Memory(_, index) => format!("{split} image {index}"),
        };
        Place { split, class: names.join("|"), name }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What an image is like.
#[derive(Debug)]
pub(super) struct Facts {
    pub source: ImageSource,
    /// Of the file's bytes, with their number.
    pub hash: (usize, u64),
    /// What it looks like, where it is large enough to tell.
    pub look: Option<u128>,
    /// Height and width.
    pub size: [usize; 2],
    /// Standard deviation of its grey.
    pub spread: f64,
    /// Variance of its Laplacian, where it is large enough to tell.
    pub sharpness: Option<f64>,
    /// Sum and sum of squares of each channel as measured.
    pub sums: [[u64; 2]; 3],
}

impl Facts {
    pub fn of(source: &ImageSource) -> Result<Facts, DataError> {
        let bytes = source.bytes()?;
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        let hash = (bytes.len(), hasher.finish());
        drop(bytes);
        let decoded = source.decoded()?;
        let shown = |shape: [usize; 3]| -> Result<Vec<u8>, DataError> {
            let mut out = zeroed("an image", &shape)?;
            decoded.show(shape, Resize::Squash, &mut out).map(|_| out)
        };
        let measured = shown(MEASURED)?;
        let mut sums = [[0; 2]; 3];
        for pixel in measured.as_chunks::<3>().0 {
            for (sums, &value) in sums.iter_mut().zip(pixel) {
                sums[0] += u64::from(value);
                sums[1] += u64::from(value) * u64::from(value);
            }
        }
        let size = decoded.displayed();
        let large = size.iter().all(|&side| side >= SMALLEST_COMPARED);
        let (across, down) = (shown([8, 9, 1])?, shown([9, 8, 1])?);
        let longest = size[0].max(size[1]).max(SHARP_SIDE);
        let [height, width] = size.map(|side| (side * SHARP_SIDE / longest).max(1));
        let grey = shown([height, width, 1])?;
        Ok(Facts {
            source: source.clone(),
            hash,
            look: large.then(|| look(&across, &down)),
            size,
            spread: variance(grey.iter().map(|&value| f64::from(value))).sqrt(),
            sharpness: large.then(|| sharpness(&grey, width)),
            sums,
        })
    }
}

/// Whether it grows brighter to the right, and downwards, at 64 places each (the difference hash).
fn look(across: &[u8], down: &[u8]) -> u128 {
    let right = across.chunks_exact(9).flat_map(|row| row.windows(2).map(|pair| pair[1] > pair[0]));
    let below = down.iter().zip(&down[8..]).map(|(above, below)| below > above);
    right.chain(below).fold(0, |bits, bit| bits << 1 | u128::from(bit))
}

/// The variance of the Laplacian, of which a blurred image has little (Pech-Pacheco and others, 2000).
fn sharpness(grey: &[u8], width: usize) -> f64 {
    let height = grey.len() / width;
    let at = |y: usize, x: usize| f64::from(grey[y * width + x]);
    let inner = (1..height.saturating_sub(1)).flat_map(|y| (1..width.saturating_sub(1)).map(move |x| (y, x)));
    variance(inner.map(|(y, x)| at(y - 1, x) + at(y + 1, x) + at(y, x - 1) + at(y, x + 1) - 4.0 * at(y, x)))
}

fn variance(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum, squares) =
        values.fold((0.0, 0.0, 0.0), |(n, sum, squares), v| (n + 1.0, sum + v, squares + v * v));
    let mean = sum / f64::max(count, 1.0);
    (squares / f64::max(count, 1.0) - mean * mean).max(0.0)
}
