//! Training images for the initial values that are made of some.

use chiaro_nn::{ExampleImages, TrainStep};

use crate::data::Data;
use crate::error::Result;

/// Images spread over the training set, normalised, if the step wants some.
pub(crate) fn examples(step: &TrainStep, data: &Data) -> Result<Option<ExampleImages>> {
    if !step.wants_examples() {
        return Ok(None);
    }
    let (shape, count) = (data.train.image_shape(), data.train.len());
    let taken = count.min(ExampleImages::enough(shape[0], shape[1]));
    let each: usize = shape.iter().product();
    let (mut bytes, mut pixels) = (vec![0u8; each], vec![0.0; taken * each]);
    for (at, out) in pixels.chunks_exact_mut(each.max(1)).enumerate() {
        data.train.write_image(at * count / taken, &mut bytes)?;
        data.normalize.apply(&bytes, out);
    }
    Ok(Some(ExampleImages { pixels, shape }))
}
