//! How an image of any size becomes one of another: one rule for training, evaluating and predicting, and its arithmetic.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

use fast_image_resize as fir;

use crate::DataError;

/// What becomes of an image whose sides are in another ratio than those asked for. All three are antialiased by a triangle
/// filter as wide as the image shrinks, as Pillow's `BILINEAR`, and give its pixels within 1 of 255.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Resize {
    /// Each side is resized by itself; the ratio is not kept (Pillow's `Image.resize`).
    #[default]
    Squash,
    /// What is too long is cut off at both ends, the middle is kept (`ImageOps.fit`).
    Crop,
    /// The whole image with its ratio, and grey (114) beside it where it is too short (`ImageOps.pad`).
    Letterbox,
}

/// The grey beside a letterboxed image, as Ultralytics has it.
pub(crate) const BESIDE: u8 = 114;

impl Resize {
    /// All of them.
    pub const ALL: [Resize; 3] = [Self::Squash, Self::Crop, Self::Letterbox];

    /// Its name, as settings and weights have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Squash => "squash",
            Self::Crop => "crop",
            Self::Letterbox => "letterbox",
        }
    }

    /// What it does, in a sentence.
    pub fn help(self) -> &'static str {
        match self {
            Self::Squash => "Each side by itself; the ratio of the sides is not kept",
            Self::Crop => "The middle, with the ratio kept; what is too long is cut off",
            Self::Letterbox => "The whole image, with the ratio kept, between grey bars",
        }
    }

    /// The part of an area of size `to` that an image of size `from` fills, [H, W], in the middle of it.
    pub(crate) fn filled(self, from: [usize; 2], to: [usize; 2]) -> [usize; 2] {
        match self {
            Self::Squash | Self::Crop => to,
            Self::Letterbox => {
                let ([h, w], [height, width]) = (from.map(|n| n as f64), to);
                // Cross products, since quotients of equal ratios may differ in their last digit.
                let (wide, high) = (w * height as f64, h * width as f64);
                let side = |length: f64, most: usize| (length.round_ties_even() as usize).clamp(1, most);
                if wide > high {
                    [side(h / w * width as f64, height), width]
                } else if wide < high {
                    [height, side(w / h * height as f64, width)]
                } else {
                    to
                }
            }
        }
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Resize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|resize| resize.name() == text);
        found.ok_or_else(|| format!("'{text}' is none of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// Resizes `image` of `from` = [H, W] to `to` = [H, W], of 1, 3 or 4 channels, of which the fourth is alpha. With `crop` the
/// middle in the ratio of `to` is taken.
pub(crate) fn resize(
    image: &[u8],
    from: [usize; 2],
    to: [usize; 2],
    channels: usize,
    crop: bool,
    out: &mut [u8],
) -> Result<(), DataError> {
    if from == to {
        out.copy_from_slice(image);
        return Ok(());
    }
    // By its type: of all that the library knows three kinds of pixels are compiled.
    let done = match channels {
        1 => typed::<fir::pixels::U8>(image, from, to, crop, out),
        3 => typed::<fir::pixels::U8x3>(image, from, to, crop, out),
        4 => typed::<fir::pixels::U8x4>(image, from, to, crop, out),
        _ => Err(format!("it has {channels} channels")),
    };
    let shown = |[height, width]: [usize; 2]| format!("{width}x{height}");
    done.map_err(|cause| {
        DataError::invalid(format!("an image of {} pixels cannot be made {}: {cause}", shown(from), shown(to)))
    })
}

fn typed<P: fir::PixelTrait>(
    image: &[u8],
    from: [usize; 2],
    to: [usize; 2],
    crop: bool,
    out: &mut [u8],
) -> Result<(), String> {
    thread_local! {
        /// Its buffers are used again.
        static RESIZER: RefCell<fir::Resizer> = RefCell::default();
    }
    let (from, to) = (from.map(|side| side as u32), to.map(|side| side as u32));
    let source = fir::images::TypedImageRef::<P>::from_buffer(from[1], from[0], image).map_err(|e| e.to_string())?;
    let mut target = fir::images::TypedImage::<P>::from_buffer(to[1], to[0], out).map_err(|e| e.to_string())?;
    let options = fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::Bilinear));
    let options = if crop { options.fit_into_destination(None) } else { options };
    RESIZER.with_borrow_mut(|resizer| resizer.resize_typed(&source, &mut target, &options)).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resized(image: &[u8], from: [usize; 2], to: [usize; 2], channels: usize) -> Vec<u8> {
        let mut out = vec![0; to[0] * to[1] * channels];
        resize(image, from, to, channels, false, &mut out).expect("resized");
        out
    }

    #[test]
    fn halving_weighs_neighbours_by_a_triangle() {
        // Worked by hand: width 4 to 2, centre 1 and 3, weights 1/4 3/4 3/4 1/4 over what exists:
        // (3*0 + 3*70 + 140) / 7 and (70 + 3*140 + 3*210) / 7.
        assert_eq!(resized(&[0, 70, 140, 210], [1, 4], [1, 2], 1), [50, 160]);
        assert_eq!(resized(&[0, 70, 140, 210], [4, 1], [2, 1], 1), [50, 160]);
    }

    #[test]
    fn growing_interpolates_linearly_and_clamps_at_the_edge() {
        assert_eq!(resized(&[0, 100], [1, 2], [1, 4], 1), [0, 25, 75, 100]);
    }

    #[test]
    fn flat_colours_stay_exact_at_any_ratio() {
        for (from, to) in [([7, 5], [3, 4]), ([3, 4], [64, 33]), ([99, 1], [1, 9])] {
            let image = [255, 0, 17].repeat(from[0] * from[1]);
            let expected = [255, 0, 17].repeat(to[0] * to[1]);
            assert_eq!(resized(&image, from, to, 3), expected, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn what_is_transparent_lends_no_colour() {
        // A clear red beside a solid blue: half as much blue, and no red.
        assert_eq!(resized(&[255, 0, 0, 0, 0, 0, 255, 255], [1, 2], [1, 1], 4), [0, 0, 255, 128]);
    }

    #[test]
    fn a_letterboxed_image_keeps_its_ratio() {
        let filled = |from, to| Resize::Letterbox.filled(from, to);
        assert_eq!(filled([100, 200], [64, 64]), [32, 64]);
        assert_eq!(filled([200, 100], [64, 64]), [64, 32]);
        assert_eq!(filled([48, 64], [3, 4]), [3, 4]);
        // Halves to even, as Python rounds, and never nothing.
        assert_eq!(filled([1, 2], [5, 5]), [2, 5]);
        assert_eq!(filled([1, 10000], [8, 8]), [1, 8]);
    }
}
