//! Brings a decoded image to the shape that is asked for: resized by a policy, turned as it should be, with its channels.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage, RgbaImage};

use crate::channels::convert;
use crate::decode::Decoded;
use crate::memory::zeroed;
use crate::resize::{BESIDE, resize};
use crate::{DataError, Resize};

/// What became of an image's alpha channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpha {
    /// It has none that shows, or was asked for.
    None,
    /// What is transparent was shown on white.
    OnWhite,
}

impl Decoded<'_> {
    /// Height and width as it should be seen.
    pub(crate) fn displayed(&self) -> [usize; 2] {
        let [height, width] = self.size;
        if lies_down(self.orientation) { [width, height] } else { [height, width] }
    }

    /// Writes the image to `out` in this shape. It is resized before it is turned, so that turning takes no second copy of its
    /// size; colours become grey and alpha white before that, as somebody would who converts the file first.
    pub(crate) fn show(&self, shape: [usize; 3], policy: Resize, out: &mut [u8]) -> Result<Alpha, DataError> {
        let [height, width, wanted] = shape;
        let translucent = self.channels == 4 && wanted < 4 && self.pixels.iter().skip(3).step_by(4).any(|&a| a < 255);
        // What has fewer channels than wanted gets them at the end, when it is small.
        let channels = self.channels.min(wanted);
        let pixels = convert(&self.pixels, self.channels, channels);
        let lies = lies_down(self.orientation);
        let swapped = |[a, b]: [usize; 2]| if lies { [b, a] } else { [a, b] };
        let inner = policy.filled(self.displayed(), [height, width]);
        let direct = channels == wanted && inner == [height, width] && self.orientation == Orientation::NoTransforms;
        let crop = policy == Resize::Crop;
        if direct {
            resize(&pixels, self.size, inner, channels, crop, out)?;
        } else {
            let mut small = zeroed("a resized image", &[inner[0], inner[1], channels])?;
            resize(&pixels, self.size, swapped(inner), channels, crop, &mut small)?;
            let small = turned(small, swapped(inner), channels, self.orientation);
            place(&convert(&small, channels, wanted), inner, out, shape);
        }
        Ok(if translucent { Alpha::OnWhite } else { Alpha::None })
    }
}

/// Puts an image into the middle of a larger one that is grey.
pub(crate) fn place(image: &[u8], inner: [usize; 2], out: &mut [u8], [height, width, channels]: [usize; 3]) {
    if inner == [height, width] {
        out.copy_from_slice(image);
        return;
    }
    let beside = [BESIDE, BESIDE, BESIDE, 255];
    out.chunks_exact_mut(channels).for_each(|pixel| pixel.copy_from_slice(&beside[..channels]));
    let middle = |room: usize, side: usize| ((room - side) as f64 / 2.0).round_ties_even() as usize;
    let (top, left) = (middle(height, inner[0]), middle(width, inner[1]));
    let rows = out.chunks_exact_mut(width * channels).skip(top);
    for (row, line) in rows.zip(image.chunks_exact(inner[1] * channels)) {
        row[left * channels..][..line.len()].copy_from_slice(line);
    }
}

fn turned(pixels: Vec<u8>, [height, width]: [usize; 2], channels: usize, orientation: Orientation) -> Vec<u8> {
    let (width, height) = (width as u32, height as u32);
    let image = match channels {
        1 => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        3 => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
        _ => RgbaImage::from_raw(width, height, pixels).map(DynamicImage::from),
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
