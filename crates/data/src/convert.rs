//! A data set in memory, shown in another size and with another number of channels.

use std::sync::Arc;

use rayon::prelude::*;

use crate::dataset::check_length;
use crate::memory::zeroed;
use crate::resize::{convert_channels, resize};
use crate::{Channels, DataError, Dataset, InMemory, OpenOptions};

/// `set`, thinned to the limit, in the size and with the channels of `options`: converted at once where the result fits
/// `cache` bytes (which it then uses up), else image by image when asked for.
pub(crate) fn converted(set: InMemory, options: &OpenOptions, cache: &mut u64) -> Result<Arc<dyn Dataset>, DataError> {
    let set = match options.limit {
        Some(limit) => set.thinned(limit)?,
        None => set,
    };
    let from = set.image_shape();
    let [height, width] = options.size.unwrap_or([from[0], from[1]]);
    let shape = [height, width, options.channels.map_or(from[2], Channels::count)];
    if from == shape {
        return Ok(Arc::new(set));
    }
    let image_len: usize = shape.iter().product();
    let bytes = image_len as u64 * set.len() as u64;
    let view = Converted { set, shape };
    if bytes > *cache {
        return Ok(Arc::new(view));
    }
    *cache -= bytes;
    let mut pixels = zeroed("resized images", &[view.len(), image_len])?;
    options.tell("resized", view.len());
    pixels.par_chunks_mut(image_len).enumerate().try_for_each(|(i, out)| {
        options.advance(1);
        view.write_image(i, out)
    })?;
    let labels = (0..view.len()).map(|i| view.label(i)).collect();
    let classes = view.classes().to_vec();
    let values = (0..view.len()).flat_map(|i| view.values(i).iter().copied()).collect();
    Ok(Arc::new(InMemory::new(pixels, labels, shape, classes)?.with_values(values)?))
}

struct Converted {
    set: InMemory,
    shape: [usize; 3],
}

impl Dataset for Converted {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn image_shape(&self) -> [usize; 3] {
        self.shape
    }

    fn classes(&self) -> &[String] {
        self.set.classes()
    }

    fn label(&self, index: usize) -> u32 {
        self.set.label(index)
    }

    fn values(&self, index: usize) -> &[f32] {
        self.set.values(index)
    }

    fn write_image(&self, index: usize, out: &mut [u8]) -> Result<(), DataError> {
        check_length(self.shape, out)?;
        let [height, width, channels] = self.set.image_shape();
        let image = convert_channels(self.set.image(index)?, channels, self.shape[2]);
        let to = [self.shape[0], self.shape[1]];
        resize(&image, [height, width], to, self.shape[2], out);
        Ok(())
    }
}
