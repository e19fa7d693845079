//! Where an image comes from: a file, or a data set.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use image::metadata::Orientation;

use crate::decode::{Decoded, decode};
use crate::memory::{take_for_decoding, zeroed};
use crate::{DataError, Dataset, regular};

/// The largest file whose bytes are compared.
const MOST_BYTES: u64 = 512 << 20;

#[derive(Clone)]
pub(crate) enum ImageSource {
    File(PathBuf),
    Memory(Arc<dyn Dataset>, usize),
}

impl fmt::Debug for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageSource::File(path) => write!(f, "{}", path.display()),
            ImageSource::Memory(_, index) => write!(f, "image {index}"),
        }
    }
}

impl ImageSource {
    /// The image in its own size.
    pub fn decoded(&self) -> Result<Decoded<'static>, DataError> {
        match self {
            ImageSource::File(path) => decode(path),
            ImageSource::Memory(set, index) => {
                let shape = set.image_shape();
                let mut pixels = zeroed("an image", &shape)?;
                set.write_image(*index, &mut pixels)?;
                let taken = take_for_decoding(pixels.len() as u64);
                let (size, orientation) = ([shape[0], shape[1]], Orientation::NoTransforms);
                Ok(Decoded { pixels, size, channels: shape[2], orientation, _taken: taken })
            }
        }
    }

    /// The bytes by which it is the same as another.
    pub fn bytes(&self) -> Result<Vec<u8>, DataError> {
        match self {
            ImageSource::File(path) => regular::read(path, MOST_BYTES),
            ImageSource::Memory(..) => Ok(self.decoded()?.pixels),
        }
    }
}
