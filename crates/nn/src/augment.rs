//! Random changes of training images: drawn on the host for each image of each step, done on the device.

use crate::error::{NnError, Result};
use chiaro_graph::{DType, Data, PLACE_ONE, Tensor, random_words};

/// Tells these random numbers from those of a graph's ops.
const SALT: u32 = u32::MAX;

/// Random changes of training images, drawn anew for each image of each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    /// Shift by up to so many pixels in each direction, what comes in being 0 (the mean colour); 0 for none. The same as
    /// padding by that many pixels and cropping to the old size.
    pub crop: usize,
    /// Mirror every second image, left to right.
    pub flip: bool,
}

impl Augment {
    pub(crate) fn check(self, [h, w, _]: [usize; 3]) -> Result<()> {
        if self.crop >= h.min(w).max(1) {
            return Err(NnError::Option(format!("a crop by {} pixels of images of {h}x{w}", self.crop)));
        }
        Ok(())
    }

    /// Whether images are moved.
    pub(crate) fn places(self) -> bool {
        self != Augment::default()
    }

    /// The inputs `place` of a step.
    pub(crate) fn draw(self, seed: u64, step: u64, n: usize, [_, w, _]: [usize; 3]) -> Vec<Tensor> {
        if !self.places() {
            return vec![];
        }
        let one = PLACE_ONE;
        let mut places = Vec::with_capacity(9 * n);
        for image in 0..n as u32 {
            let words = random_words([seed as u32, (seed >> 32) as u32, step as u32], SALT, image);
            let shift = |word: u32| (below(word, 2 * self.crop as u32 + 1) as i32 - self.crop as i32) * one;
            let (rows, columns) = (shift(words[0]), shift(words[1]));
            let mirrored = self.flip && below(words[2], 2) == 1;
            let (across, from) = if mirrored { (-one, (w as i32 - 1) * one) } else { (one, 0) };
            places.extend([one, 0, rows, 0, across, from + columns, 0, 0, one]);
        }
        let shape = [n, 3, 3];
        vec![Tensor::new(shape, Data::I32(places)).unwrap_or_else(|| Tensor::zeros(shape, DType::I32))]
    }
}

/// A number below `n`, as even as 32 bits are.
fn below(word: u32, n: u32) -> u32 {
    ((u64::from(word) * u64::from(n)) >> 32) as u32
}
