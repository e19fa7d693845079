//! A picture to draw on: images, text in a bitmap font, lines; written as a PNG file.

use std::path::Path;

use font8x8::UnicodeFonts;
use image::{ImageEncoder, Rgb, RgbImage};

use crate::DataError;

/// Red, green and blue.
pub type Colour = [u8; 3];

/// Height and width of a letter in pixels.
const LETTER: usize = 8;

/// A white picture to draw on. What lies outside of it is not drawn.
pub struct Canvas(RgbImage);

impl Canvas {
    /// Height and width of a letter in pixels.
    pub const LETTER: usize = LETTER;
    /// The colour of text.
    pub const BLACK: Colour = [0; 3];

    /// A white picture of so many pixels.
    pub fn new(width: usize, height: usize) -> Canvas {
        Canvas(RgbImage::from_pixel(width as u32, height as u32, Rgb([255; 3])))
    }

    /// Colours one pixel.
    pub fn dot(&mut self, x: usize, y: usize, colour: Colour) {
        if x < self.0.width() as usize && y < self.0.height() as usize {
            self.0.put_pixel(x as u32, y as u32, Rgb(colour));
        }
    }

    /// Fills a rectangle.
    pub fn fill(&mut self, [left, top]: [usize; 2], [width, height]: [usize; 2], colour: Colour) {
        for y in top..top + height {
            (left..left + width).for_each(|x| self.dot(x, y, colour));
        }
    }

    /// Draws a line of so many pixels' width from one point to another.
    pub fn line(&mut self, from: [f64; 2], to: [f64; 2], width: usize, colour: Colour) {
        let span = [to[0] - from[0], to[1] - from[1]];
        let steps = span[0].abs().max(span[1].abs()).ceil().max(1.0);
        for step in 0..=steps as usize {
            let at = |axis: usize| from[axis] + span[axis] * step as f64 / steps - (width as f64 - 1.0) / 2.0;
            let (x, y) = (at(0).round(), at(1).round());
            if x >= 0.0 && y >= 0.0 {
                self.fill([x as usize, y as usize], [width, width], colour);
            }
        }
    }

    /// Puts an image there, RGB pixels in rows of `width`.
    pub fn image(&mut self, [left, top]: [usize; 2], width: usize, pixels: &[u8]) {
        for (place, pixel) in pixels.as_chunks::<3>().0.iter().enumerate() {
            self.dot(left + place % width.max(1), top + place / width.max(1), *pixel);
        }
    }

    /// Writes text, its upper left corner there; letters that the font has not are question marks.
    pub fn text(&mut self, [left, top]: [usize; 2], text: &str, colour: Colour) {
        for (number, letter) in text.chars().enumerate() {
            let fonts =
                [font8x8::BASIC_FONTS.get(letter), font8x8::LATIN_FONTS.get(letter), font8x8::BASIC_FONTS.get('?')];
            let rows = fonts.into_iter().flatten().next().unwrap_or_default();
            for (y, row) in rows.iter().enumerate() {
                let lit = (0..LETTER).filter(|x| row >> x & 1 == 1);
                lit.for_each(|x| self.dot(left + number * LETTER + x, top + y, colour));
            }
        }
    }

    /// The pixel's colour; `None` outside.
    pub fn at(&self, x: usize, y: usize) -> Option<Colour> {
        self.0.get_pixel_checked(x as u32, y as u32).map(|pixel| pixel.0)
    }

    /// Writes it as a PNG file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), DataError> {
        let failed = |cause: &dyn std::fmt::Display| {
            DataError::invalid(format!("{}: the picture cannot be written: {cause}", path.display()))
        };
        let file = std::fs::File::create(path).map_err(|cause| failed(&cause))?;
        let (width, height) = self.0.dimensions();
        let encoder = image::codecs::png::PngEncoder::new(std::io::BufWriter::new(file));
        let written = encoder.write_image(self.0.as_raw(), width, height, image::ExtendedColorType::Rgb8);
        written.map_err(|cause| failed(&cause))
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
        let mut canvas = Canvas::new(20, 10);
        canvas.text([2, 1], "|", [9, 8, 7]);
        let lit: Vec<(usize, usize)> = (0..10)
            .flat_map(|y| (0..20).map(move |x| (x, y)))
            .filter(|&(x, y)| canvas.at(x, y) != Some([255; 3]))
            .collect();
        assert!(!lit.is_empty() && lit.iter().all(|&(x, y)| (2..10).contains(&x) && (1..9).contains(&y)), "{lit:?}");
        canvas.line([0.0, 9.0], [40.0, 9.0], 1, [1; 3]);
        assert!((0..20).all(|x| canvas.at(x, 9) == Some([1; 3])));
        canvas.fill([18, 8], [5, 5], [2; 3]);
        assert_eq!((canvas.at(19, 9), canvas.at(20, 9)), (Some([2; 3]), None));
    }

    #[test]
    fn long_text_loses_its_middle() {
        assert_eq!(shortened("abcdefghij", 6), "ab..ij");
        assert_eq!(shortened("abc", 6), "abc");
        assert_eq!(shortened("äbcdefg", 5), "ä..fg");
    }
}
