//! Decodes one image file to 8-bit pixels of a given shape.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageReader};

use crate::dataset::check_length;
use crate::resize::{convert_channels, resize};
use crate::{DataError, jpeg};

/// Decodes a JPEG or PNG file of any size to pixels of `shape` = `[H, W, C]`, C being 1 (luma) or
/// 3 (RGB), into `out`.
///
/// The format is told from the content. The image is turned as its EXIF orientation says, alpha
/// is dropped, 16-bit samples are rounded to 8, CMYK becomes RGB; the size is reached by an
/// antialiased triangle filter that does not keep the aspect ratio.
///
/// # Errors
/// A missing or unreadable file; [`DataError::CorruptImage`] where it cannot be decoded, ends too
/// early, or would take more than 512 MiB decoded; a wrong `shape` or length of `out`.
pub fn decode_file(path: &Path, shape: [usize; 3], out: &mut [u8]) -> Result<(), DataError> {
    check_length(shape, out)?;
    let [height, width, channels] = shape;
    if out.is_empty() || !matches!(channels, 1 | 3) {
        return Err(DataError::invalid(format!("images can't be decoded to shape {shape:?}")));
    }
    let bytes = std::fs::read(path).map_err(|e| DataError::io(path, e))?;
    let image = decode(path, &bytes)?.into_rgb8();
    let from = [image.height() as usize, image.width() as usize];
    let pixels = convert_channels(image.as_raw(), 3, channels);
    resize(&pixels, from, [height, width], channels, out);
    Ok(())
}

fn decode(path: &Path, bytes: &[u8]) -> Result<DynamicImage, DataError> {
    let corrupt = |cause: image::ImageError| DataError::corrupt(path, cause);
    if bytes.is_empty() {
        return Err(DataError::corrupt(path, "the file is empty"));
    }
    let mut decoder = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|e| DataError::io(path, e))?
        .into_decoder()
        .map_err(corrupt)?;
    if bytes.starts_with(&[0xFF, 0xD8]) && !jpeg::reaches_its_end(bytes) {
        return Err(DataError::corrupt(path, "truncated: the JPEG ends before its end marker"));
    }
    let orientation = decoder.orientation().map_err(corrupt)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(corrupt)?;
    image.apply_orientation(orientation);
    Ok(image)
}
