//! A data set in memory, shown in another size and with another number of channels.

use std::sync::Arc;

use rayon::prelude::*;

use crate::channels::convert;
use crate::dataset::check_length;
use crate::memory::zeroed;
use crate::resize::resize;
use crate::show::place;
use crate::{Channels, DataError, Dataset, InMemory, OpenOptions, Resize};

/// `set` in the size and with the channels of `options`: converted at once where the result fits
/// `cache` bytes (which it then uses up), else image by image when asked for.
pub(crate) fn converted(set: InMemory, options: &OpenOptions, cache: &mut u64) -> Result<Arc<dyn Dataset>, DataError> {
    let from = set.image_shape();
    let [height, width] = options.size.unwrap_or([from[0], from[1]]);
    let shape = [height, width, options.channels.map_or(from[2], Channels::count)];
    if from == shape {
        return Ok(Arc::new(set));
    }
    let image_len: usize = shape.iter().product();
    let bytes = image_len as u64 * set.len() as u64;
    let view = Converted { set, shape, policy: options.resize };
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
    policy: Resize,
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
        let image = convert(self.set.image(index)?, channels, self.shape[2]);
        let (from, to) = ([height, width], [self.shape[0], self.shape[1]]);
        let (inner, crop) = (self.policy.filled(from, to), self.policy == Resize::Crop);
        if inner == to {
            return resize(&image, from, to, self.shape[2], crop, out);
        }
        let mut small = zeroed("a resized image", &[inner[0], inner[1], self.shape[2]])?;
        resize(&image, from, inner, self.shape[2], crop, &mut small)?;
        place(&small, inner, out, self.shape);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_images_have_beside_their_class_goes_with_them() {
        let classes = vec!["a".to_string(), "b".to_string()];
        let set =
            || InMemory::new((0..32).collect(), vec![0, 1, 0, 1], [2, 4, 1], classes.clone()).expect("a data set");
        let set = || set().with_values((0..12).map(|v| v as f32).collect()).expect("three each");
        for (size, mut cache) in [(None, 0), (Some([4, 4]), 0), (Some([4, 4]), 1 << 20)] {
            let options = OpenOptions { size, ..OpenOptions::default() };
            let part = set().part(&[0, 2]).expect("a part");
            let shown = converted(part, &options, &mut cache).expect("converted");
            assert_eq!([shown.values(0), shown.values(1)], [[0.0, 1.0, 2.0], [6.0, 7.0, 8.0]], "{size:?} {cache}");
        }
        assert!(
            InMemory::new(vec![0; 8], vec![0, 1], [2, 2, 1], classes.clone())
                .expect("two")
                .with_values(vec![0.0; 3])
                .is_err()
        );
    }
}
