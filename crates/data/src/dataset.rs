//! What a data set is, and the one that holds all its pixels in memory.

use std::path::Path;

use crate::DataError;
use crate::memory::zeroed;

/// A set of labelled 8-bit images, all of one shape.
pub trait Dataset: Send + Sync {
    /// How many images there are.
    fn len(&self) -> usize;

    /// Whether there is no image.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Height, width and channels of every image.
    fn image_shape(&self) -> [usize; 3];

    /// Class names; a label is an index into them.
    fn classes(&self) -> &[String];

    /// The label of image `index`, below `classes().len()`.
    ///
    /// # Panics
    /// Where `index` is not below `len()`.
    fn label(&self, index: usize) -> u32;

    /// What image `index` is called in reports: its file, by default its number.
    fn name(&self, index: usize) -> String {
        format!("#{index}")
    }

    /// What else image `index` has for tasks that learn more than its class: as many numbers for each image, such as 1 for each
    /// class that is in it and 0 for the others. None by default.
    ///
    /// # Panics
    /// Where `index` is not below `len()`.
    fn values(&self, _index: usize) -> &[f32] {
        &[]
    }

    /// For each channel the sum of image `index` and that of its squares, `[C, 2]`, where they are known without reading it. None by
    /// default.
    ///
    /// # Panics
    /// Where `index` is not below `len()`.
    fn channel_sums(&self, _index: usize) -> Option<&[u64]> {
        None
    }

    /// Writes the pixels of image `index`, `[H, W, C]`, to `out`, whose length must be H*W*C.
    ///
    /// # Errors
    /// A wrong index or length, or a file that can no longer be decoded.
    fn write_image(&self, index: usize, out: &mut [u8]) -> Result<(), DataError>;

    /// Whether `write_image` only copies; a [`Loader`](crate::Loader) then needs one thread.
    fn in_memory(&self) -> bool {
        false
    }
}

/// How many images each class has.
pub fn class_counts(dataset: &dyn Dataset) -> Vec<usize> {
    let mut counts = vec![0; dataset.classes().len()];
    for index in 0..dataset.len() {
        // A data set of somebody else's may break its promise; the loss says so when it meets the label.
        if let Some(count) = counts.get_mut(dataset.label(index) as usize) {
            *count += 1;
        }
    }
    counts
}

/// A data set whose pixels lie in memory, `[N, H, W, C]`.
#[derive(Debug, Clone)]
pub struct InMemory {
    pixels: Vec<u8>,
    labels: Vec<u32>,
    /// `[N, K]`.
    values: Vec<f32>,
    shape: [usize; 3],
    classes: Vec<String>,
}

impl InMemory {
    /// A data set of `labels.len()` images of shape `[H, W, C]`, from their pixels `[N, H, W, C]`.
    ///
    /// # Errors
    /// Where the number of pixels is not N*H*W*C, or a label is not below `classes.len()`.
    pub fn new(pixels: Vec<u8>, labels: Vec<u32>, shape: [usize; 3], classes: Vec<String>) -> Result<Self, DataError> {
        let image_len: usize = shape.iter().product();
        if image_len == 0 || labels.len().checked_mul(image_len) != Some(pixels.len()) {
            return Err(DataError::invalid(format!(
                "{} bytes of pixels for {} images of shape {shape:?}",
                pixels.len(),
                labels.len()
            )));
        }
        check_labels(Path::new("labels"), &labels, classes.len(), "")?;
        Ok(Self { pixels, labels, values: vec![], shape, classes })
    }

    /// The same with numbers for each image, `[N, K]`: see [`Dataset::values`].
    ///
    /// # Errors
    /// Where the images have not equally many numbers.
    pub fn with_values(self, values: Vec<f32>) -> Result<Self, DataError> {
        if !values.len().is_multiple_of(self.labels.len()) {
            let (values, images) = (values.len(), self.labels.len());
            return Err(DataError::invalid(format!("{values} numbers for {images} images: not as many for each")));
        }
        Ok(Self { values, ..self })
    }

    /// The images at these places.
    pub(crate) fn part(self, places: &[usize]) -> Result<Self, DataError> {
        let image_len = self.shape.iter().product();
        let mut pixels = zeroed("a part of the images", &[places.len(), image_len])?;
        for (&place, image) in places.iter().zip(pixels.chunks_exact_mut(image_len)) {
            image.copy_from_slice(self.image(place)?);
        }
        let labels = places.iter().map(|&place| self.labels[place]).collect();
        let values = places.iter().flat_map(|&place| self.values(place).iter().copied()).collect();
        Ok(Self { pixels, labels, values, ..self })
    }

    pub(crate) fn image(&self, index: usize) -> Result<&[u8], DataError> {
        image_at(&self.pixels, self.shape, index)
    }
}

impl Dataset for InMemory {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn image_shape(&self) -> [usize; 3] {
        self.shape
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> u32 {
        self.labels[index]
    }

    fn values(&self, index: usize) -> &[f32] {
        let width = self.values.len() / self.labels.len().max(1);
        &self.values[index * width..(index + 1) * width]
    }

    fn write_image(&self, index: usize, out: &mut [u8]) -> Result<(), DataError> {
        check_length(self.shape, out)?;
        out.copy_from_slice(self.image(index)?);
        Ok(())
    }

    fn in_memory(&self) -> bool {
        true
    }
}

/// Image `index` of `[N, H, W, C]` pixels.
pub(crate) fn image_at(pixels: &[u8], shape: [usize; 3], index: usize) -> Result<&[u8], DataError> {
    let mut images = pixels.chunks_exact(shape.iter().product());
    images.nth(index).ok_or_else(|| no_such_image(index))
}

pub(crate) fn no_such_image(index: usize) -> DataError {
    DataError::invalid(format!("there is no image {index}"))
}

pub(crate) fn check_length(shape: [usize; 3], out: &[u8]) -> Result<(), DataError> {
    if out.len() == shape.iter().product() {
        return Ok(());
    }
    Err(DataError::invalid(format!("a buffer of {} bytes for an image of shape {shape:?}", out.len())))
}

/// Refuses the first label that is not below `classes`; `hint` ends the message.
pub(crate) fn check_labels(path: &Path, labels: &[u32], classes: usize, hint: &str) -> Result<(), DataError> {
    match labels.iter().position(|&label| label as usize >= classes) {
        None => Ok(()),
        Some(index) => {
            let (path, hint) = (path.to_path_buf(), hint.to_string());
            Err(DataError::LabelOutOfRange { path, index, label: labels[index], classes, hint })
        }
    }
}
