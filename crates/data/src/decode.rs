//! Decodes one image file to 8-bit pixels of a given shape.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::Path;

use image::codecs::{
    bmp::BmpDecoder, gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder, tiff::TiffDecoder, webp::WebPDecoder,
};
use image::metadata::Orientation;
use image::{ImageDecoder, ImageResult, Limits};

use crate::dataset::check_length;
use crate::format::{Format, START};
use crate::jpeg::{self, Frame};
use crate::memory::{MOST_FOR_AN_IMAGE, Taken, take_for_decoding, zeroed};
use crate::{Alpha, Channels, DataError, Resize, partial_scans, pixels, regular};

/// The largest file that is read as an image.
const MOST_BYTES: u64 = 512 << 20;
/// The most memory for what a PNG tells beside its pixels.
const MOST_BESIDE_PIXELS: u64 = 32 << 20;

/// Decodes an image file of any size (JPEG, PNG, WebP, BMP, GIF, TIFF) to pixels of `shape` = `[H, W, C]`, C being 1 (luma), 3
/// (RGB) or 4 (RGB with alpha), into `out`.
///
/// The format is told from the content; of several frames or pages the first counts. The image is turned as its EXIF orientation
/// says, 16-bit samples are rounded to 8, palettes and CMYK become RGB, alpha is composed over white unless it is asked for; the
/// size is reached as `resize` says.
///
/// Threads that decode at the same time share a bounded memory, and wait for each other where it would not do.
///
/// # Errors
/// A missing or unreadable file, or one that is no regular file; [`DataError::CorruptImage`] where it cannot be decoded or
/// ends too early; [`DataError::OtherFormat`] for other formats; [`DataError::ImageTooLarge`] where decoding
/// would take more than 512 MiB (known before it begins); a wrong `shape` or length of `out`.
pub fn decode_file(path: &Path, shape: [usize; 3], resize: Resize, out: &mut [u8]) -> Result<Alpha, DataError> {
    check_length(shape, out)?;
    if out.is_empty() || Channels::of_count(shape[2]).is_none() {
        return Err(DataError::invalid(format!("images can't be decoded to shape {shape:?}")));
    }
    decode(path)?.show(shape, resize, out)
}

/// An image in its own size, grey, RGB or RGBA.
pub(crate) struct Decoded<'r> {
    pub pixels: Vec<u8>,
    /// Height and width.
    pub size: [usize; 2],
    pub channels: usize,
    pub orientation: Orientation,
    /// The memory that the pixels are counted in, given back after them.
    pub _taken: Taken<'r>,
}

pub(crate) fn decode(path: &Path) -> Result<Decoded<'static>, DataError> {
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
        Format::WebP => other(path, WebPDecoder::new(file)),
        Format::Bmp => other(path, BmpDecoder::new(file)),
        Format::Gif => other(path, GifDecoder::new(file)),
        Format::Tiff => other(path, TiffDecoder::new(file)),
        Format::OtherImage(format) => Err(DataError::OtherFormat { path: path.to_path_buf(), format }),
        Format::NoImage(what) => Err(DataError::corrupt(path, format!("it holds {what}"))),
        Format::Unknown if metadata.len() == 0 => Err(DataError::corrupt(path, "the file is empty")),
        Format::Unknown => Err(DataError::corrupt(path, "no image by its content")),
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

/// An image of a format whose decoder tells all before it decodes.
fn other<D: ImageDecoder>(path: &Path, decoder: ImageResult<D>) -> Result<Decoded<'static>, DataError> {
    let corrupt = |cause: image::ImageError| DataError::corrupt(path, cause);
    let mut decoder = decoder.map_err(corrupt)?;
    // Beside the pixels that come out there are those of the decoder.
    let taken = room(path, decoder.dimensions(), decoder.total_bytes().saturating_mul(2))?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MOST_FOR_AN_IMAGE);
    decoder.set_limits(limits).map_err(corrupt)?;
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
    let channels =
        channels.ok_or_else(|| DataError::corrupt(path, format!("its pixels are {color:?}, not of 8 or 16 bits")))?;
    Ok(Decoded { pixels, size, channels, orientation, _taken: taken })
}
