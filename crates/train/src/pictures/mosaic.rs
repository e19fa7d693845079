//! Images in rows, with words below each.

use chiaro_data::{Canvas, Colour, shortened};

use crate::error::Result;

/// Side of an image, how many stand in a row, and the room around them, in pixels.
const SIDE: usize = 168;
const IN_A_ROW: usize = 4;
const GAP: usize = 8;

/// Colours of words: of what is right, and of what is wrong.
pub(super) const RIGHT: Colour = [20, 120, 50];
pub(super) const WRONG: Colour = [190, 30, 30];

/// An image in RGB, and lines of text.
pub(super) struct Tile<'a> {
    pub pixels: &'a [u8],
    pub lines: Vec<(String, Colour)>,
}

/// Draws them, all of `size` = [H, W].
pub(super) fn mosaic(size: [usize; 2], tiles: &[Tile<'_>]) -> Result<Canvas> {
    let lines = tiles.iter().map(|tile| tile.lines.len()).max().unwrap_or(0);
    let cell = [SIDE + GAP, SIDE + lines * Canvas::LETTER_HEIGHT + GAP];
    let (columns, rows) = (tiles.len().clamp(1, IN_A_ROW), tiles.len().div_ceil(IN_A_ROW).max(1));
    let mut canvas = Canvas::new(columns * cell[0] + GAP, rows * cell[1] + GAP);
    for (i, tile) in tiles.iter().enumerate() {
        let at = [GAP + i % IN_A_ROW * cell[0], GAP + i / IN_A_ROW * cell[1]];
        canvas.tile(at, SIDE, size, tile.pixels)?;
        for (number, (text, colour)) in tile.lines.iter().enumerate() {
            let below = [at[0], at[1] + SIDE + number * Canvas::LETTER_HEIGHT];
            canvas.text(below, &shortened(text, SIDE / Canvas::LETTER_WIDTH), *colour);
        }
    }
    Ok(canvas)
}
