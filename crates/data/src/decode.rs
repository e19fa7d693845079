//! Decodes one image file to 8-bit pixels of a given shape.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::Path;

use image::codecs::{jpeg::JpegDecoder, png::PngDecoder};
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, Limits, RgbImage};

use crate::dataset::check_length;
use crate::format::{Format, START};
use crate::jpeg::{self, Frame};
use crate::memory::{MOST_FOR_AN_IMAGE, Taken, take_for_decoding, zeroed};
use crate::resize::resize;
use crate::{DataError, partial_scans, pixels, regular};

/// The largest file that is read as an image.
const MOST_BYTES: u64 = 512 << 20;
/// The most memory for what a PNG tells beside its pixels.
const MOST_BESIDE_PIXELS: u64 = 32 << 20;

/// Decodes a JPEG or PNG file of any size to pixels of `shape` = `[H, W, C]`, C being 1 (luma) or
/// 3 (RGB), into `out`.
///
/// The format is told from the content. The image is turned as its EXIF orientation says, alpha
/// is dropped, 16-bit samples are rounded to 8, CMYK becomes RGB; the size is reached by an
/// antialiased triangle filter that does not keep the aspect ratio.
///
/// Threads that decode at the same time share a bounded memory, and wait for each other where it would not do.
///
/// # Errors
/// A missing or unreadable file, or one that is no regular file; [`DataError::CorruptImage`] where it cannot be decoded or
/// ends too early; [`DataError::OtherFormat`] for other formats than JPEG and PNG; [`DataError::ImageTooLarge`] where decoding
/// would take more than 512 MiB (known before it begins); a wrong `shape` or length of `out`.
pub fn decode_file(path: &Path, shape: [usize; 3], out: &mut [u8]) -> Result<(), DataError> {
    check_length(shape, out)?;
    if out.is_empty() || !matches!(shape[2], 1 | 3) {
        return Err(DataError::invalid(format!("images can't be decoded to shape {shape:?}")));
    }
    let mut image = decode(path)?;
    if shape[2] == 1 && image.channels == 3 {
        pixels::make_grey(&mut image.pixels);
        image.channels = 1;
    }
    image.show(shape, out)
}

/// An image in its own size, grey or RGB.
pub(crate) struct Decoded<'r> {
    pub pixels: Vec<u8>,
    /// Height and width.
    pub size: [usize; 2],
    pub channels: usize,
    pub orientation: Orientation,
    /// The memory that the pixels are counted in, given back after them.
    pub _taken: Taken<'r>,
}

fn decode(path: &Path) -> Result<Decoded<'static>, DataError> {
    let failed = |e| DataError::io(path, e);
    let (file, metadata) = regular::open(path, MOST_BYTES)?;
    let mut file = BufReader::new(file);
    let start = file.fill_buf().map_err(failed)?;
    match Format::of(&start[..start.len().min(START)]) {
        Format::Png => png(path, file),
        Format::Jpeg => {
            let frame = Frame::read(&mut file).map_err(failed)?;
            file.rewind().map_err(failed)?;
            let frame = frame.ok_or_else(|| DataError::corrupt(path, "truncated: the JPEG ends before its pixels"))?;
            jpeg(path, &frame, metadata.len())
        }
        Format::OtherImage(format) => Err(DataError::OtherFormat { path: path.to_path_buf(), format }),
        Format::NoImage(what) => Err(DataError::corrupt(path, format!("it holds {what}"))),
        Format::Unknown if metadata.len() == 0 => Err(DataError::corrupt(path, "the file is empty")),
        Format::Unknown => Err(DataError::corrupt(path, "neither JPEG nor PNG by its content")),
    }
}

fn png(path: &Path, file: BufReader<File>) -> Result<Decoded<'static>, DataError> {
    let corrupt = |cause: image::ImageError| DataError::corrupt(path, cause);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MOST_BESIDE_PIXELS);
    let mut decoder = PngDecoder::with_limits(file, limits).map_err(corrupt)?;
    let taken = room(path, decoder.dimensions(), decoder.total_bytes())?;
    let orientation = decoder.orientation().map_err(corrupt)?;
    read(path, decoder, orientation, taken)
}

fn jpeg(path: &Path, frame: &Frame, file_bytes: u64) -> Result<Decoded<'static>, DataError> {
    let corrupt = |cause: image::ImageError| DataError::corrupt(path, cause);
    let dimensions = (u32::from(frame.width), u32::from(frame.height));
    // The decoder copies the file.
    let taken = room(path, dimensions, frame.memory() + 2 * file_bytes)?;
    let bytes = regular::read(path, file_bytes)?;
    let mut decoder = JpegDecoder::new(Cursor::new(&bytes)).map_err(corrupt)?;
    if !jpeg::reaches_its_end(&bytes) {
        return Err(DataError::corrupt(path, "truncated: the JPEG ends before its end marker"));
    }
    if decoder.dimensions() != dimensions {
        return Err(DataError::corrupt(path, "it has two sizes"));
    }
    let orientation = decoder.orientation().map_err(corrupt)?;
    if frame.has_partial_scans() {
        drop(decoder);
        return partial_scans::decode(path, &bytes, orientation, taken);
    }
    read(path, decoder, orientation, taken)
}

/// The memory for an image, waiting for it where others have it.
fn room(path: &Path, (width, height): (u32, u32), bytes: u64) -> Result<Taken<'static>, DataError> {
    if bytes > MOST_FOR_AN_IMAGE {
        let path = path.to_path_buf();
        return Err(DataError::ImageTooLarge { path, width, height, bytes, limit: MOST_FOR_AN_IMAGE });
    }
    Ok(take_for_decoding(bytes))
}

fn read<'r>(
    path: &Path,
    decoder: impl ImageDecoder,
    orientation: Orientation,
    taken: Taken<'r>,
) -> Result<Decoded<'r>, DataError> {
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let size = [height as usize, width as usize];
    let mut pixels = zeroed("decoding an image", &[size[0], size[1], usize::from(color.bytes_per_pixel())])?;
    decoder.read_image(&mut pixels).map_err(|cause| DataError::corrupt(path, cause))?;
    let channels = pixels::narrow(&mut pixels, color);
    let channels = channels.ok_or_else(|| DataError::corrupt(path, format!("pixels of type {color:?}")))?;
    Ok(Decoded { pixels, size, channels, orientation, _taken: taken })
}

impl Decoded<'_> {
    /// Writes the image to `out` in this shape, turned as it should be. It is resized before it is turned, so that turning
    /// takes no second copy of its size.
    fn show(self, [height, width, channels]: [usize; 3], out: &mut [u8]) -> Result<(), DataError> {
        let to = if lies_down(self.orientation) { [width, height] } else { [height, width] };
        if self.channels == channels && self.orientation == Orientation::NoTransforms {
            resize(&self.pixels, self.size, to, channels, out);
            return Ok(());
        }
        let mut small = zeroed("a resized image", &[height, width, self.channels])?;
        resize(&self.pixels, self.size, to, self.channels, &mut small);
        let small = turned(small, to, self.channels, self.orientation);
        match (self.channels, channels) {
            (1, 3) => out.as_chunks_mut::<3>().0.iter_mut().zip(&small).for_each(|(rgb, &grey)| *rgb = [grey; 3]),
            _ => out.copy_from_slice(&small),
        }
        Ok(())
    }
}

fn turned(pixels: Vec<u8>, [height, width]: [usize; 2], channels: usize, orientation: Orientation) -> Vec<u8> {
    let (width, height) = (width as u32, height as u32);
    let image = match channels {
        1 => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        _ => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
    };
    // There are as many pixels as the size says, so that there is an image.
    let mut image = image.unwrap_or_default();
    image.apply_orientation(orientation);
    image.into_bytes()
}

/// Whether turning exchanges height and width.
fn lies_down(orientation: Orientation) -> bool {
    match orientation {
        Orientation::NoTransforms | Orientation::Rotate180 => false,
        Orientation::FlipHorizontal | Orientation::FlipVertical => false,
        Orientation::Rotate90 | Orientation::Rotate270 => true,
        Orientation::Rotate90FlipH | Orientation::Rotate270FlipH => true,
    }
}
