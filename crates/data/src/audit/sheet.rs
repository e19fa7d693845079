//! A picture of some images of each class, with the classes' names.

use std::path::Path;

use rayon::prelude::*;

use crate::source::ImageSource;
use crate::{Canvas, DataError, Resize};

/// Side of an image, images of a class, and the room around them, in pixels.
const SIDE: usize = 96;
const IN_A_ROW: usize = 10;
const GAP: usize = 4;
/// Classes that are drawn.
const MOST_CLASSES: usize = 100;

/// Writes the sheet as a PNG file.
pub(super) fn draw(classes: &[String], samples: &[Vec<ImageSource>], path: &Path) -> Result<(), DataError> {
    let classes = &classes[..classes.len().min(MOST_CLASSES)];
    let row = SIDE + Canvas::LETTER_HEIGHT + 3 * GAP;
    let mut sheet = Canvas::new(IN_A_ROW * (SIDE + GAP) + GAP, classes.len() * row + GAP);
    for (number, (class, samples)) in classes.iter().zip(samples).enumerate() {
        let top = number * row + GAP;
        sheet.text([GAP, top], &format!("{class} ({})", samples.len()), Canvas::BLACK);
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
            let (left, top) = (GAP + i * (SIDE + GAP), top + Canvas::LETTER_HEIGHT + GAP);
            sheet.image([left, top], SIDE, pixels);
        }
    }
    sheet.save(path)
}
