//! From 8-bit pixels to centred floats, and measuring what centres them.

use rayon::prelude::*;

use crate::memory::zeroed;
use crate::{DataError, Dataset, Progress, threads};

/// Images a thread counts at a time when measuring.
const MEASURE_CHUNK: usize = 256;

/// Per-channel normalisation: `(pixel / 255 - mean) / std`.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalize {
    mean: Vec<f32>,
    std: Vec<f32>,
    /// The same as one multiplication and one addition: `pixel * scale + shift`.
    affine: Vec<Affine>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Affine {
    scale: f32,
    shift: f32,
}

impl Affine {
    fn apply(self, pixel: u8) -> f32 {
        f32::from(pixel) * self.scale + self.shift
    }
}

impl Normalize {
    /// Normalisation by one mean and one standard deviation a channel, in units of pixel / 255.
    ///
    /// # Errors
    /// Where the two differ in length, are empty or not finite, or a deviation is not positive.
    pub fn new(mean: Vec<f32>, std: Vec<f32>) -> Result<Self, DataError> {
        let finite = mean.iter().chain(&std).all(|value| value.is_finite());
        let positive = std.iter().all(|&std| std > 0.0);
        if mean.len() != std.len() || mean.is_empty() || !finite || !positive {
            return Err(DataError::invalid(format!("can't normalise by mean {mean:?} and standard deviation {std:?}")));
        }
        let affine = mean
            .iter()
            .zip(&std)
            .map(|(&mean, &std)| Affine {
                scale: (1.0 / (255.0 * f64::from(std))) as f32,
                shift: (-f64::from(mean) / f64::from(std)) as f32,
            })
            .collect();
        Ok(Self { mean, std, affine })
    }

    /// Measures mean and standard deviation of each channel over a whole data set, exactly (by
    /// counting pixel values). A channel of one constant value gets the deviation 1.
    ///
    /// # Errors
    /// An empty data set, or an image that cannot be decoded.
    pub fn measure(dataset: &dyn Dataset) -> Result<Self, DataError> {
        Self::measure_telling(dataset, &Progress::default())
    }

    /// The same, telling how far it has come.
    ///
    /// # Errors
    /// As [`Normalize::measure`].
    pub fn measure_telling(dataset: &dyn Dataset, progress: &Progress) -> Result<Self, DataError> {
        threads::ready()?;
        let [height, width, channels] = dataset.image_shape();
        if dataset.is_empty() || height * width * channels == 0 {
            return Err(DataError::invalid("can't measure an empty data set"));
        }
        if let Some(known) = Self::known(dataset) {
            return known;
        }
        progress.begin("measured", dataset.len());
        let chunks = dataset.len().div_ceil(MEASURE_CHUNK);
        let counts = (0..chunks)
            .into_par_iter()
            .map(|chunk| count_values(dataset, chunk, progress))
            .try_reduce(|| vec![[0; 256]; channels], |a, b| Ok(added(a, &b)))?;
        let pixels = (dataset.len() * height * width) as f64;
        let (mut mean, mut std) = (Vec::new(), Vec::new());
        for counts in counts {
            let average = |f: &dyn Fn(f64) -> f64| -> f64 {
                let weighted = counts.iter().enumerate();
                let terms = weighted.map(|(value, &count)| f(value as f64 / 255.0) * count as f64);
                terms.sum::<f64>() / pixels
            };
            let center = average(&|value| value);
            let deviation = average(&|value| (value - center).powi(2)).sqrt();
            let constant = counts.iter().filter(|&&count| count > 0).count() == 1;
            mean.push(center as f32);
            std.push(if constant { 1.0 } else { deviation as f32 });
        }
        Self::new(mean, std)
    }

    /// From the sums of all images, where they are known: whole numbers, so that nothing is lost.
    fn known(dataset: &dyn Dataset) -> Option<Result<Self, DataError>> {
        let [height, width, channels] = dataset.image_shape();
        let mut sums = vec![[0u128; 2]; channels];
        for index in 0..dataset.len() {
            let image = dataset.channel_sums(index)?.as_chunks::<2>().0;
            sums.iter_mut().zip(image).for_each(|(all, one)| (0..2).for_each(|i| all[i] += u128::from(one[i])));
        }
        let pixels = (dataset.len() * height * width) as u128;
        let mean = sums.iter().map(|[sum, _]| (*sum as f64 / (pixels as f64 * 255.0)) as f32).collect();
        let deviation = |[sum, squares]: &[u128; 2]| match pixels * squares - sum * sum {
            0 => 1.0,
            spread => ((spread as f64).sqrt() / (pixels as f64 * 255.0)) as f32,
        };
        Some(Self::new(mean, sums.iter().map(deviation).collect()))
    }

    /// The mean of each channel, in units of pixel / 255.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The standard deviation of each channel, in units of pixel / 255.
    pub fn std(&self) -> &[f32] {
        &self.std
    }

    /// The same as a factor and a summand for each channel: `pixel * scale + shift`.
    pub fn affine(&self) -> [Vec<f32>; 2] {
        let of = |part: fn(&Affine) -> f32| self.affine.iter().map(part).collect();
        [of(|a| a.scale), of(|a| a.shift)]
    }

    /// Normalises `pixels`, `[..., C]`, into `out` of the same length.
    ///
    /// # Panics
    /// Where the lengths differ or are no multiple of the number of channels.
    pub fn apply(&self, pixels: &[u8], out: &mut [f32]) {
        assert_eq!(pixels.len(), out.len(), "as many floats as pixels");
        assert_eq!(pixels.len() % self.affine.len(), 0, "whole pixels");
        // The usual channel counts as constants, so that the compiler unrolls the inner loop.
        match *self.affine.as_slice() {
            [grey] => {
                for (out, &pixel) in out.iter_mut().zip(pixels) {
                    *out = grey.apply(pixel);
                }
            }
            [red, green, blue] => {
                let rgb = [red, green, blue];
                let pixels = pixels.as_chunks::<3>().0;
                for (out, pixel) in out.as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
                    *out = std::array::from_fn(|c| rgb[c].apply(pixel[c]));
                }
            }
            _ => {
                let values = pixels.iter().zip(self.affine.iter().cycle());
                for (out, (&pixel, affine)) in out.iter_mut().zip(values) {
                    *out = affine.apply(pixel);
                }
            }
        }
    }
}

type Counts = Vec<[u64; 256]>;

/// Tables that neighbouring pixels are counted in: the next pixel, which is often equal, need not wait for the last count.
const TABLES: usize = 4;

fn count_values(dataset: &dyn Dataset, chunk: usize, progress: &Progress) -> Result<Counts, DataError> {
    let shape = dataset.image_shape();
    let mut counts = vec![[[0; 256]; TABLES]; shape[2]];
    let mut image = zeroed("an image", &shape)?;
    let first = chunk * MEASURE_CHUNK;
    for index in first..dataset.len().min(first + MEASURE_CHUNK) {
        dataset.write_image(index, &mut image)?;
        progress.advance(1);
        for (place, pixel) in image.chunks_exact(shape[2]).enumerate() {
            for (counts, &value) in counts.iter_mut().zip(pixel) {
                counts[place % TABLES][usize::from(value)] += 1;
            }
        }
    }
    let sum = |tables: &[[u64; 256]; TABLES]| std::array::from_fn(|value| tables.iter().map(|t| t[value]).sum());
    Ok(counts.iter().map(sum).collect())
}

fn added(mut a: Counts, b: &Counts) -> Counts {
    for (a, b) in a.iter_mut().flatten().zip(b.iter().flatten()) {
        *a += b;
    }
    a
}
