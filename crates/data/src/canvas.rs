//! A picture to draw on: images, text, lines; encoded as PNG or JPEG.

use std::path::Path;

use image::codecs::{jpeg::JpegEncoder, png::PngEncoder};
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::DataError;
use crate::resize::resize;

/// Red, green and blue.
pub type Colour = [u8; 3];

const FONT: (FontWeight, RasterHeight) = (FontWeight::Regular, RasterHeight::Size16);

/// A white picture to draw on. What lies outside of it is not drawn.
pub struct Canvas(RgbImage);

impl Canvas {
    /// Width of a letter in pixels, the room to the next one in it.
    pub const LETTER_WIDTH: usize = get_raster_width(FONT.0, FONT.1);
    /// Height of a line of text in pixels.
    pub const LETTER_HEIGHT: usize = FONT.1.val();
    /// The colour of text.
    pub const BLACK: Colour = [0; 3];

    /// A white picture of so many pixels.
    pub fn new(width: usize, height: usize) -> Canvas {
        Canvas(RgbImage::from_pixel(width as u32, height as u32, Rgb([255; 3])))
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [usize; 2] {
        [self.0.width() as usize, self.0.height() as usize]
    }

    /// Colours one pixel.
    pub fn dot(&mut self, x: usize, y: usize, colour: Colour) {
        self.mix(x, y, colour, 1.0);
    }

    /// Covers this share of a pixel.
    fn mix(&mut self, x: usize, y: usize, colour: Colour, share: f64) {
        if x < self.0.width() as usize && y < self.0.height() as usize {
            let pixel = self.0.get_pixel_mut(x as u32, y as u32);
            for (old, new) in pixel.0.iter_mut().zip(colour) {
                *old = (f64::from(*old) * (1.0 - share) + f64::from(new) * share).round() as u8;
            }
        }
    }

    /// Fills a rectangle.
    pub fn fill(&mut self, [left, top]: [usize; 2], [width, height]: [usize; 2], colour: Colour) {
        for y in top..top + height {
            (left..left + width).for_each(|x| self.dot(x, y, colour));
        }
    }

    /// Draws a line of so many pixels' width from one point to another, round at its ends and smooth at its sides. Coordinates count from the middle of the
    /// first pixel.
    pub fn line(&mut self, from: [f64; 2], to: [f64; 2], width: usize, colour: Colour) {
        let span = [to[0] - from[0], to[1] - from[1]];
        let length = (span[0] * span[0] + span[1] * span[1]).max(1e-9);
        let reach = width as f64 / 2.0 + 1.0;
        let within = |axis: usize| {
            let (low, high) = (from[axis].min(to[axis]) - reach, from[axis].max(to[axis]) + reach);
            let most = self.size()[axis] as f64;
            low.floor().clamp(0.0, most) as usize..high.ceil().clamp(-1.0, most - 1.0) as usize + 1
        };
        if !(0..2).all(|axis| from[axis].is_finite() && to[axis].is_finite()) {
            return;
        }
        let (columns, rows) = (within(0), within(1));
        for y in rows {
            for x in columns.clone() {
                let off = [x as f64 - from[0], y as f64 - from[1]];
                let along = ((off[0] * span[0] + off[1] * span[1]) / length).clamp(0.0, 1.0);
                let distance = (off[0] - along * span[0]).hypot(off[1] - along * span[1]);
                let share = width as f64 / 2.0 + 0.5 - distance;
                if share > 0.0 {
                    self.mix(x, y, colour, share.min(1.0));
                }
            }
        }
    }

    /// Puts an image there, RGB pixels in rows of `width`.
    pub fn image(&mut self, [left, top]: [usize; 2], width: usize, pixels: &[u8]) {
        for (place, pixel) in pixels.as_chunks::<3>().0.iter().enumerate() {
            self.dot(left + place % width.max(1), top + place / width.max(1), *pixel);
        }
    }

    /// Puts an image of `size` = [H, W] there, RGB pixels, in the middle of a square of this side, as large as fits: each pixel as a
    /// square of its own where it is shown larger than it is by twice or more, else resized smoothly.
    ///
    /// # Errors
    /// If the image cannot be resized.
    pub fn tile(&mut self, at: [usize; 2], side: usize, size: [usize; 2], pixels: &[u8]) -> Result<(), DataError> {
        let longest = size[0].max(size[1]).max(1);
        let times = side / longest;
        let shown = match times {
            0 | 1 => size.map(|length| (length * side).div_ceil(longest).clamp(1, side)),
            _ => size.map(|length| length * times),
        };
        let [left, top] = [at[0] + (side - shown[1]) / 2, at[1] + (side - shown[0]) / 2];
        if times < 2 {
            let mut out = vec![0; shown[0] * shown[1] * 3];
            resize(pixels, size, shown, 3, false, &mut out)?;
            self.image([left, top], shown[1], &out);
            return Ok(());
        }
        for (place, pixel) in pixels.as_chunks::<3>().0.iter().enumerate() {
            let at = [left + place % size[1] * times, top + place / size[1] * times];
            self.fill(at, [times, times], *pixel);
        }
        Ok(())
    }

    /// Writes text, its upper left corner there; letters that the font has not are question marks.
    pub fn text(&mut self, [left, top]: [usize; 2], text: &str, colour: Colour) {
        for (number, letter) in text.chars().enumerate() {
            let Some(letter) = get_raster(letter, FONT.0, FONT.1).or(get_raster('?', FONT.0, FONT.1)) else { continue };
            for (place, covered) in letter.pixels().iter().enumerate() {
                let (x, y) = (place % letter.width(), place / letter.width());
                self.mix(left + number * Self::LETTER_WIDTH + x, top + y, colour, f64::from(*covered) / 255.0);
            }
        }
    }

    /// Writes text from below upwards, the lower left corner of its first letter there.
    pub fn text_up(&mut self, [left, bottom]: [usize; 2], text: &str, colour: Colour) {
        let mut flat = Canvas::new(text.chars().count() * Self::LETTER_WIDTH, Self::LETTER_HEIGHT);
        flat.text([0, 0], text, Self::BLACK);
        for (x, y, pixel) in flat.0.enumerate_pixels() {
            if let Some(row) = bottom.checked_sub(x as usize) {
                self.mix(left + y as usize, row, colour, 1.0 - f64::from(pixel.0[0]) / 255.0);
            }
        }
    }

    /// A picture of an image of `size` = [H, W], RGB pixels, made smaller where its longer side has more than `most`.
    ///
    /// # Errors
    /// If the image cannot be resized.
    pub fn of_image(size: [usize; 2], pixels: &[u8], most: usize) -> Result<Canvas, DataError> {
        let longest = size[0].max(size[1]).max(1);
        let shown = if longest > most { size.map(|length| (length * most / longest).max(1)) } else { size };
        let mut out = vec![0; shown[0] * shown[1] * 3];
        resize(pixels, size, shown, 3, false, &mut out)?;
        let mut canvas = Canvas::new(shown[1], shown[0]);
        canvas.image([0, 0], shown[1], &out);
        Ok(canvas)
    }

    /// The pixel's colour; `None` outside.
    pub fn at(&self, x: usize, y: usize) -> Option<Colour> {
        self.0.get_pixel_checked(x as u32, y as u32).map(|pixel| pixel.0)
    }

    /// It as a PNG file.
    ///
    /// # Errors
    /// If it is too large for one.
    pub fn to_png(&self) -> Result<Vec<u8>, DataError> {
        let mut file = vec![];
        self.encoded(PngEncoder::new(&mut file))?;
        Ok(file)
    }

    /// It as a JPEG file.
    ///
    /// # Errors
    /// If it is too large for one.
    pub fn to_jpeg(&self) -> Result<Vec<u8>, DataError> {
        let mut file = vec![];
        self.encoded(JpegEncoder::new_with_quality(&mut file, 90))?;
        Ok(file)
    }

    fn encoded(&self, encoder: impl ImageEncoder) -> Result<(), DataError> {
        let (width, height) = self.0.dimensions();
        let written = encoder.write_image(self.0.as_raw(), width, height, ExtendedColorType::Rgb8);
        written.map_err(|cause| DataError::invalid(format!("a picture of {width}x{height} cannot be made: {cause}")))
    }

    /// Writes it as a PNG file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), DataError> {
        let failed = |cause| DataError::invalid(format!("{}: the picture cannot be written: {cause}", path.display()));
        // A full disk leaves no half of a picture.
        let partial = path.with_extension("png.partial");
        let written = std::fs::write(&partial, self.to_png()?).and_then(|()| std::fs::rename(&partial, path));
        written.map_err(|cause| {
            let _ = std::fs::remove_file(&partial);
            failed(cause)
        })
    }
}

/// Text of at most so many letters, its middle left out where it is longer.
pub fn shortened(text: &str, letters: usize) -> String {
    let all: Vec<char> = text.chars().collect();
    if all.len() <= letters || letters < 3 {
        return all.iter().take(letters).collect();
    }
    let (head, tail) = ((letters - 2) / 2, (letters - 2).div_ceil(2));
    all[..head].iter().chain(&['.', '.']).chain(&all[all.len() - tail..]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_lines_are_where_they_were_drawn_and_nothing_is_drawn_outside() {
        let mut canvas = Canvas::new(20, 20);
        canvas.text([2, 1], "H\u{4e2d}", [9, 8, 7]);
        let lit: Vec<(usize, usize)> = (0..20)
            .flat_map(|y| (0..20).map(move |x| (x, y)))
            .filter(|&(x, y)| canvas.at(x, y) != Some([255; 3]))
            .collect();
        let right = 2 + 2 * Canvas::LETTER_WIDTH;
        assert!(lit.iter().all(|&(x, y)| (2..right).contains(&x) && (1..17).contains(&y)), "{lit:?}");
        assert!(lit.iter().any(|&(x, _)| x < 9) && lit.iter().any(|&(x, _)| x > 9), "both letters: {lit:?}");
        canvas.line([0.0, 19.0], [40.0, 19.0], 1, [1; 3]);
        assert!((0..20).all(|x| canvas.at(x, 19) == Some([1; 3]) && canvas.at(x, 17) == Some([255; 3])));
        canvas.line([5.0, f64::NAN], [40.0, -900.0], 1, [1; 3]);
        canvas.line([-50.0, -40.0], [-20.0, -90.0], 3, [1; 3]);
        canvas.fill([18, 18], [5, 5], [2; 3]);
        assert_eq!((canvas.at(19, 19), canvas.at(20, 19)), (Some([2; 3]), None));
    }

    #[test]
    fn a_small_image_is_shown_by_squares_and_a_large_one_is_made_smaller() {
        let mut canvas = Canvas::new(10, 8);
        // Two pixels beside each other in a square of 6: three times as large, in the middle.
        canvas.tile([1, 1], 6, [1, 2], &[10, 10, 10, 20, 20, 20]).expect("drawn");
        let row = |y: usize| (0..10).map(|x| canvas.at(x, y).map_or(0, |c| c[0])).collect::<Vec<_>>();
        assert_eq!(row(2), [255, 10, 10, 10, 20, 20, 20, 255, 255, 255]);
        assert_eq!((row(1), row(5)), (vec![255; 10], vec![255; 10]));
        let mut small = Canvas::new(4, 4);
        small.tile([0, 0], 4, [8, 4], &[7; 8 * 4 * 3]).expect("drawn");
        let of = |canvas: &Canvas| (0..4).map(|x| canvas.at(x, 3).map_or(0, |c| c[0])).collect::<Vec<_>>();
        assert_eq!(of(&small), [255, 7, 7, 255]);
        let png = image::load_from_memory(&small.to_png().expect("a file")).expect("a PNG").to_rgb8();
        assert_eq!((png.dimensions(), png.get_pixel(1, 0).0), ((4, 4), [7; 3]));
        let jpeg = image::load_from_memory(&small.to_jpeg().expect("a file")).expect("a JPEG");
        assert_eq!(jpeg.to_rgb8().dimensions(), (4, 4));
    }

    #[test]
    fn long_text_loses_its_middle() {
        assert_eq!(shortened("abcdefghij", 6), "ab..ij");
        assert_eq!(shortened("abc", 6), "abc");
        assert_eq!(shortened("äbcdefg", 5), "ä..fg");
    }
}
