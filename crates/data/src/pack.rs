//! Pixels packed for a device: four to a 32-bit word, each image beginning a word.

use std::ops::Range;

use rayon::prelude::*;

use crate::memory::zeroed;
use crate::{DataError, Dataset, threads};

const PER_WORD: usize = 4;

/// Words that an image of this shape takes.
pub fn packed_len(shape: [usize; 3]) -> usize {
    shape.iter().product::<usize>().div_ceil(PER_WORD)
}

/// Packs the pixels of one image, the first in the lowest byte of the first word, zeros behind the last.
pub fn pack(pixels: &[u8], words: &mut [u32]) {
    let (whole, rest) = pixels.as_chunks::<PER_WORD>();
    words.iter_mut().zip(whole).for_each(|(word, four)| *word = u32::from_le_bytes(*four));
    if let Some(last) = words.get_mut(whole.len()) {
        let mut four = [0; PER_WORD];
        four[..rest.len()].copy_from_slice(rest);
        *last = u32::from_le_bytes(four);
    }
}

/// Images `range` of a data set, packed one behind the other.
///
/// # Errors
/// An image that is not there or cannot be decoded.
pub fn packed(dataset: &dyn Dataset, range: Range<usize>) -> Result<Vec<u32>, DataError> {
    let shape = dataset.image_shape();
    let len = packed_len(shape);
    threads::ready()?;
    let mut words = zeroed("packed images", &[len, range.len()])?;
    words.par_chunks_mut(len.max(1)).zip(range).try_for_each_init(Vec::new, |image, (words, index)| {
        if image.is_empty() {
            *image = zeroed("an image", &shape)?;
        }
        dataset.write_image(index, image)?;
        pack(image, words);
        Ok(())
    })?;
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pixel_is_the_lowest_byte_and_a_part_of_a_word_is_filled_with_zeros() {
        let mut words = [u32::MAX; 2];
        pack(&[1, 2, 3, 4, 5], &mut words);
        assert_eq!(words, [0x0403_0201, 5]);
        pack(&[9; 8], &mut words);
        assert_eq!(words, [0x0909_0909; 2]);
    }
}
