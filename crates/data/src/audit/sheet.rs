//! A picture of some images of each class, with the classes' names.

use std::path::Path;

use font8x8::UnicodeFonts;
use image::{ImageEncoder, Rgb, RgbImage};
use rayon::prelude::*;

use super::picture::Source;
use crate::{DataError, Resize};

/// Side of an image, images of a class, and the room around them, in pixels.
const SIDE: usize = 96;
const IN_A_ROW: usize = 10;
const GAP: usize = 4;
const LETTER: usize = 8;
/// Classes that are drawn.
const MOST_CLASSES: usize = 100;

/// Writes the sheet as a PNG file.
pub(super) fn draw(classes: &[String], samples: &[Vec<Source>], path: &Path) -> Result<(), DataError> {
    let classes = &classes[..classes.len().min(MOST_CLASSES)];
    let row = SIDE + LETTER + 3 * GAP;
    let width = (IN_A_ROW * (SIDE + GAP) + GAP) as u32;
    let mut sheet = RgbImage::from_pixel(width, (classes.len() * row + GAP) as u32, Rgb([255; 3]));
    for (number, (class, samples)) in classes.iter().zip(samples).enumerate() {
        let top = number * row + GAP;
        write(&mut sheet, &format!("{class} ({})", samples.len()), GAP, top);
        let count = samples.len().min(IN_A_ROW);
        let drawn: Vec<Option<Vec<u8>>> = (0..count)
            .into_par_iter()
            .map(|i| {
                let mut out = vec![0; SIDE * SIDE * 3];
                // Spread over all of them: neighbours are often alike.
                let decoded = samples[i * samples.len() / count].decoded().ok()?;
                decoded.show([SIDE, SIDE, 3], Resize::Letterbox, &mut out).ok()?;
                Some(out)
            })
            .collect();
        for (i, pixels) in drawn.iter().enumerate().filter_map(|(i, pixels)| Some((i, pixels.as_ref()?))) {
            let (left, top) = (GAP + i * (SIDE + GAP), top + LETTER + GAP);
            for (place, pixel) in pixels.as_chunks::<3>().0.iter().enumerate() {
                sheet.put_pixel((left + place % SIDE) as u32, (top + place / SIDE) as u32, Rgb(*pixel));
            }
        }
    }
    let file = std::fs::File::create(path).map_err(|cause| DataError::io(path, cause))?;
    let (width, height) = sheet.dimensions();
    let encoder = image::codecs::png::PngEncoder::new(std::io::BufWriter::new(file));
    encoder
        .write_image(sheet.as_raw(), width, height, image::ExtendedColorType::Rgb8)
        .map_err(|cause| DataError::invalid(format!("{}: the sheet cannot be written: {cause}", path.display())))
}

/// Writes text in black; letters that the font has not are question marks.
fn write(sheet: &mut RgbImage, text: &str, left: usize, top: usize) {
    for (number, letter) in text.chars().enumerate() {
        let fonts = [font8x8::BASIC_FONTS.get(letter), font8x8::LATIN_FONTS.get(letter), font8x8::BASIC_FONTS.get('?')];
        let rows = fonts.into_iter().flatten().next().unwrap_or_default();
        for (y, row) in rows.iter().enumerate() {
            for x in (0..LETTER).filter(|x| row >> x & 1 == 1) {
                let (x, y) = ((left + number * LETTER + x) as u32, (top + y) as u32);
                if x < sheet.width() {
                    sheet.put_pixel(x, y, Rgb([0; 3]));
                }
            }
        }
    }
}
