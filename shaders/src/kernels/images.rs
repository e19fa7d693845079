//! Images made of packed pixels. Bindings: pixels, index, moves, affine, y.

use crate::dispatch::{elements, spread_elements};
use crate::{Elem, Kernel, ShaderError, Source};

/// Pixels in a word.
const PER_WORD: u32 = 4;

/// A batch of images of a set of packed 8-bit pixels, cropped, mirrored and normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LoadImages {
    /// Images in the set.
    pub stored: u32,
    /// Images of the batch.
    pub batch: u32,
    /// Height and width.
    pub size: [u32; 2],
    /// Channels.
    pub channels: u32,
    /// The element type of the result.
    pub out: Elem,
}

impl LoadImages {
    /// Words that an image takes.
    pub fn words(&self) -> u64 {
        let pixels = u64::from(self.size[0]) * u64::from(self.size[1]) * u64::from(self.channels);
        pixels.div_ceil(u64::from(PER_WORD))
    }

    /// y `[batch, height, width, channels]` from pixels `[stored, words]`, index `[batch]`, moves `[batch, 3]` and affine
    /// `[2, channels]`.
    ///
    /// # Errors
    /// An empty set, or more elements than 32-bit indices reach.
    pub fn kernel(&self) -> Result<Kernel, ShaderError> {
        let name = "load_images";
        let [height, width] = self.size;
        let count = elements(name, &[self.batch, height, width, self.channels])?;
        let words = u32::try_from(self.words()).unwrap_or(u32::MAX);
        if elements(name, &[self.stored, words])? == 0 {
            return Err(ShaderError::Shape { kernel: name, reason: format!("a set without pixels: {self:?}") });
        }
        let source = Source::new(name)
            .set_alias("OutElem", self.out.wgsl())
            .set_const("STORED", self.stored)
            .set_const("WORDS", words)
            .set_const("BATCH", self.batch)
            .set_const("HEIGHT", height)
            .set_const("WIDTH", width)
            .set_const("CHANNELS", self.channels);
        Ok(Kernel::new(name, source, spread_elements(name, count.into())?))
    }
}
