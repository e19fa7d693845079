//! Draws a picture and beside it the heat map over it.

use std::path::Path;

use chiaro::data::{Canvas, DataError, shortened};
use chiaro::train::{Explanation, covered};

/// The longer side of a picture, and the room around it.
pub const SIDE: usize = 320;
const GAP: usize = 8;

/// A picture in RGB.
pub struct Shown {
    pub pixels: Vec<u8>,
    pub height: usize,
    pub width: usize,
}

/// Writes the drawing as a PNG file.
pub fn draw(shown: &Shown, explanation: &Explanation, explained: &str, path: &Path) -> Result<(), DataError> {
    let (width, height) = (2 * shown.width + 3 * GAP, shown.height + Canvas::LETTER_HEIGHT + 3 * GAP);
    let mut canvas = Canvas::new(width, height);
    let best = explanation.guesses.first().map(ToString::to_string).unwrap_or_default();
    let letters = shown.width / Canvas::LETTER_WIDTH;
    canvas.text([GAP, GAP], &shortened(&format!("predicted: {best}"), letters), Canvas::BLACK);
    let right = 2 * GAP + shown.width;
    canvas.text([right, GAP], &shortened(&format!("for {explained}"), letters), Canvas::BLACK);
    let top = Canvas::LETTER_HEIGHT + 2 * GAP;
    canvas.image([GAP, top], shown.width, &shown.pixels);
    let hot = covered(&shown.pixels, [shown.height, shown.width], &explanation.map, explanation.size);
    canvas.image([right, top], shown.width, &hot);
    canvas.save(path)
}
