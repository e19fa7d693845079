//! Pictures that somebody asks a model about: files wherever they lie, images of a data set, found by what was named.

mod decoding;
mod find;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

pub use decoding::{Decoding, decoded};
pub use find::{FoundPictures, find};

use crate::memory::zeroed;
use crate::source::ImageSource;
use crate::{DataError, Dataset, Resize, threads};

/// One picture, not yet opened.
#[derive(Clone, Debug)]
pub struct Picture {
    name: String,
    source: ImageSource,
}

impl Picture {
    /// That of an image file.
    pub fn file(path: PathBuf) -> Picture {
        Picture { name: path.display().to_string(), source: ImageSource::File(path) }
    }

    /// All images of a data set, with this before their own names.
    pub fn of_set(set: &Arc<dyn Dataset>, prefix: &str) -> Vec<Picture> {
        let name = |i| format!("{prefix}{}", set.name(i));
        let picture = |i| Picture { name: name(i), source: ImageSource::Memory(Arc::clone(set), i) };
        (0..set.len()).map(picture).collect()
    }

    /// What it is called: its path, or the data set's name and its number.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its file; of a data set's image none.
    pub fn path(&self) -> Option<&Path> {
        match &self.source {
            ImageSource::File(path) => Some(path),
            ImageSource::Memory(..) => None,
        }
    }

    /// Decodes it to pixels `shape` = `[H, W, C]`, as a model of these images takes it.
    ///
    /// # Errors
    /// Those of [`decode_file`](crate::decode_file).
    pub fn write(&self, shape: [usize; 3], resize: Resize, out: &mut [u8]) -> Result<(), DataError> {
        self.source.decoded()?.show(shape, resize, out).map(|_| ())
    }

    /// Decodes it into a square of RGB pixels, with grey beside it where it is no square.
    ///
    /// # Errors
    /// Those of [`Picture::write`].
    pub fn thumbnail(&self, side: usize) -> Result<Vec<u8>, DataError> {
        let mut out = zeroed("a small picture", &[side, side, 3])?;
        self.write([side, side, 3], Resize::Letterbox, &mut out)?;
        Ok(out)
    }
}

/// [`Picture::thumbnail`] of many, in parallel; `None` for such as cannot be opened.
///
/// # Errors
/// If the system refuses threads.
pub fn thumbnails(pictures: &[Picture], side: usize) -> Result<Vec<Option<Vec<u8>>>, DataError> {
    threads::ready()?;
    Ok(pictures.par_iter().map(|picture| picture.thumbnail(side).ok()).collect())
}
