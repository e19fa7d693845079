//! Decodes baseline JPEG files whose components come in scans of their own, which the usual decoder gets wrong.

use std::path::Path;

use image::ColorType;
use image::metadata::Orientation;
use jpeg_decoder::{Decoder, PixelFormat};

use crate::decode::Decoded;
use crate::memory::{MOST_FOR_AN_IMAGE, Taken};
use crate::{DataError, pixels};

/// Decodes a file, for which `taken` is the memory.
pub(crate) fn decode<'r>(
    path: &Path,
    bytes: &[u8],
    orientation: Orientation,
    taken: Taken<'r>,
) -> Result<Decoded<'r>, DataError> {
    let mut decoder = Decoder::new(bytes);
    decoder.set_max_decoding_buffer_size(MOST_FOR_AN_IMAGE as usize);
    let mut pixels = decoder.decode().map_err(|cause| DataError::corrupt(path, cause))?;
    let info = decoder.info().ok_or_else(|| DataError::corrupt(path, "it has no frame"))?;
    let size = [usize::from(info.height), usize::from(info.width)];
    let channels = match info.pixel_format {
        PixelFormat::L8 => pixels::narrow(&mut pixels, ColorType::L8),
        PixelFormat::L16 => pixels::narrow(&mut pixels, ColorType::L16),
        PixelFormat::RGB24 => pixels::narrow(&mut pixels, ColorType::Rgb8),
        PixelFormat::CMYK32 => {
            pixels::print_inks(&mut pixels);
            Some(3)
        }
    };
    let channels = channels.ok_or_else(|| DataError::corrupt(path, format!("pixels of {:?}", info.pixel_format)))?;
    Ok(Decoded { pixels, size, channels, orientation, _taken: taken })
}
