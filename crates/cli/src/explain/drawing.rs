//! Draws a picture and beside it the heat map over it.

use std::path::Path;

use chiaro::data::{Canvas, Colour, DataError, shortened};
use chiaro::train::Explanation;

/// The longer side of a picture, and the room around it.
pub const SIDE: usize = 320;
const GAP: usize = 8;
/// How much of the hottest place is colour.
const COVER: f32 = 0.65;
/// From cold to hot: blue, cyan, yellow, red.
const HEAT: [Colour; 4] = [[0, 0, 160], [0, 200, 220], [255, 230, 0], [220, 0, 0]];

/// A picture in RGB.
pub struct Shown {
    pub pixels: Vec<u8>,
    pub height: usize,
    pub width: usize,
}

/// Writes the drawing as a PNG file.
pub fn draw(shown: &Shown, explanation: &Explanation, explained: &str, path: &Path) -> Result<(), DataError> {
    let (width, height) = (2 * shown.width + 3 * GAP, shown.height + Canvas::LETTER + 3 * GAP);
    let mut canvas = Canvas::new(width, height);
    let best = explanation.guesses.first().map(ToString::to_string).unwrap_or_default();
    let letters = shown.width / Canvas::LETTER;
    canvas.text([GAP, GAP], &shortened(&format!("predicted: {best}"), letters), Canvas::BLACK);
    let right = 2 * GAP + shown.width;
    canvas.text([right, GAP], &shortened(&format!("for {explained}"), letters), Canvas::BLACK);
    let top = Canvas::LETTER + 2 * GAP;
    canvas.image([GAP, top], shown.width, &shown.pixels);
    canvas.image([right, top], shown.width, &covered(shown, explanation));
    canvas.save(path)
}

/// The picture under the heat.
fn covered(shown: &Shown, explanation: &Explanation) -> Vec<u8> {
    let heat = enlarged(&explanation.map, explanation.size, [shown.height, shown.width]);
    let pixels = shown.pixels.as_chunks::<3>().0.iter().zip(heat);
    let mixed = pixels.flat_map(|(pixel, heat)| {
        let (colour, share) = (coloured(heat), COVER * heat);
        std::array::from_fn::<u8, 3, _>(|i| {
            (f32::from(pixel[i]) * (1.0 - share) + f32::from(colour[i]) * share).round() as u8
        })
    });
    mixed.collect()
}

/// The colour of a heat from 0 to 1.
fn coloured(heat: f32) -> Colour {
    let place = heat.clamp(0.0, 1.0) * (HEAT.len() - 1) as f32;
    let from = (place as usize).min(HEAT.len() - 2);
    let share = place - from as f32;
    std::array::from_fn(|i| {
        (f32::from(HEAT[from][i]) * (1.0 - share) + f32::from(HEAT[from + 1][i]) * share).round() as u8
    })
}

/// A map of one size in another, linear between the middles of its places.
fn enlarged(map: &[f32], [h, w]: [usize; 2], [height, width]: [usize; 2]) -> Vec<f32> {
    let at = |i: usize, from: usize, to: usize| {
        let place = ((i as f32 + 0.5) * from as f32 / to as f32 - 0.5).clamp(0.0, from as f32 - 1.0);
        let low = place as usize;
        (low, (low + 1).min(from - 1), place - low as f32)
    };
    let value = |y: usize, x: usize| {
        let ((top, bottom, down), (left, right, along)) = (at(y, h, height), at(x, w, width));
        let row = |y: usize| map[y * w + left] * (1.0 - along) + map[y * w + right] * along;
        row(top) * (1.0 - down) + row(bottom) * down
    };
    (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).map(|(y, x)| value(y, x)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_enlarged_between_the_middles_of_its_places() {
        let large = enlarged(&[0.0, 1.0], [1, 2], [2, 8]);
        assert_eq!(large[..8], large[8..]);
        let row = [0.0, 0.0, 0.125, 0.375, 0.625, 0.875, 1.0, 1.0];
        assert!(large.iter().zip(row.iter().chain(&row)).all(|(a, b)| (a - b).abs() < 1e-6), "{large:?}");
    }

    #[test]
    fn heat_goes_from_blue_to_red_and_no_heat_leaves_the_picture() {
        assert_eq!([coloured(0.0), coloured(1.0)], [HEAT[0], HEAT[3]]);
        let shown = Shown { pixels: vec![9; 2 * 3], height: 1, width: 2 };
        let explanation = Explanation { class: 0, guesses: vec![], map: vec![0.0, 1.0], size: [1, 2] };
        let covered = covered(&shown, &explanation);
        assert_eq!(covered[..3], [9; 3]);
        assert!(covered[3] > 140 && covered[4] < 10, "{covered:?}");
    }
}
