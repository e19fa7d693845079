//! What the worked examples draw: points and curves in a frame with numbers at its sides, and grids of grey pictures.
#![allow(dead_code, reason = "each example draws some of it")]

use std::error::Error;
use std::path::Path;

use chiaro::data::{Canvas, Colour};

/// The first four colours, told apart by everybody.
pub const COLOURS: [Colour; 4] = [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167]];
const GREY: Colour = [150; 3];
const MARGIN: f64 = 56.0;

/// A frame over an interval of each axis.
pub struct Chart {
    canvas: Canvas,
    size: [f64; 2],
    x: [f64; 2],
    y: [f64; 2],
}

impl Chart {
    /// An empty chart of so many pixels, with a title.
    pub fn new(size: [usize; 2], title: &str, x: [f64; 2], y: [f64; 2]) -> Chart {
        let wide = |[low, high]: [f64; 2]| if high > low { [low, high] } else { [low - 0.5, low + 0.5] };
        let (x, y) = (wide(x), wide(y));
        let mut chart = Chart { canvas: Canvas::new(size[0], size[1]), size: size.map(|s| s as f64), x, y };
        let corners = [[x[0], y[0]], [x[1], y[0]], [x[1], y[1]], [x[0], y[1]]].map(|p| chart.at(p));
        for (i, corner) in corners.iter().enumerate() {
            chart.canvas.line(*corner, corners[(i + 1) % 4], 1, GREY);
        }
        chart.canvas.text([MARGIN as usize, 14], title, Canvas::BLACK);
        let [_, bottom] = corners[0];
        for (value, place) in [(x[0], corners[0][0]), (x[1], corners[1][0] - 40.0)] {
            chart.canvas.text([place as usize, bottom as usize + 8], &short(value), Canvas::BLACK);
        }
        for (value, place) in [(y[0], bottom - 8.0), (y[1], corners[2][1])] {
            chart.canvas.text([2, place as usize], &short(value), Canvas::BLACK);
        }
        chart
    }

    /// The pixel of a point.
    fn at(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let share = [(x - self.x[0]) / (self.x[1] - self.x[0]), (y - self.y[0]) / (self.y[1] - self.y[0])];
        [
            MARGIN + share[0].clamp(0.0, 1.0) * (self.size[0] - 1.5 * MARGIN),
            self.size[1] - MARGIN - share[1].clamp(0.0, 1.0) * (self.size[1] - 2.0 * MARGIN),
        ]
    }

    /// Draws points; what lies outside is drawn at the frame.
    pub fn points(&mut self, points: impl IntoIterator<Item = [f64; 2]>, colour: Colour) {
        for point in points {
            let [x, y] = self.at(point);
            self.canvas.fill([x as usize - 2, y as usize - 2], [5, 5], colour);
        }
    }

    /// Draws a cross at a point.
    pub fn cross(&mut self, point: [f64; 2], colour: Colour) {
        let [x, y] = self.at(point);
        self.canvas.line([x - 6.0, y - 6.0], [x + 6.0, y + 6.0], 2, colour);
        self.canvas.line([x - 6.0, y + 6.0], [x + 6.0, y - 6.0], 2, colour);
    }

    /// Joins points by lines.
    pub fn curve(&mut self, points: &[[f64; 2]], colour: Colour) {
        for ends in points.windows(2) {
            self.canvas.line(self.at(ends[0]), self.at(ends[1]), 2, colour);
        }
    }

    /// Writes a line of words in the frame, the first at the top.
    pub fn note(&mut self, line: usize, text: &str, colour: Colour) {
        self.canvas.text([MARGIN as usize + 10, MARGIN as usize + 8 + 14 * line], text, colour);
    }

    /// Writes the picture, and says so.
    pub fn save(&self, file: &Path) -> Result<(), Box<dyn Error>> {
        self.canvas.save(file)?;
        println!("drawn in {}", file.display());
        Ok(())
    }
}

/// Three digits that matter.
fn short(value: f64) -> String {
    let size = value.abs();
    match () {
        () if size >= 1e5 => format!("{value:.1e}"),
        () if size >= 100.0 || value == 0.0 => format!("{value:.0}"),
        () if size >= 1.0 => format!("{value:.2}"),
        () => format!("{value:.3}"),
    }
}

/// The least and the most of some numbers.
pub fn span(values: impl IntoIterator<Item = f64>) -> [f64; 2] {
    values.into_iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)])
}

/// Draws square grey pictures, brightness from 0 to 1, in rows of so many with words above each; writes the file and says so.
pub fn pictures(file: &Path, title: &str, across: usize, all: &[(Vec<f64>, String)]) -> Result<(), Box<dyn Error>> {
    /// Rows of pixels for the words above a picture.
    const WORDS: usize = 16;
    let side = all.first().map_or(1, |(pixels, _)| pixels.len().isqrt());
    let scale = (84 / side.max(1)).max(1);
    let (cell, top) = (side * scale + 8, 30);
    let rows = all.len().div_ceil(across);
    let mut canvas = Canvas::new(across * cell + 8, top + rows * (cell + WORDS) + 8);
    canvas.text([8, 10], title, Canvas::BLACK);
    for (i, (pixels, words)) in all.iter().enumerate() {
        let [left, above] = [8 + i % across * cell, top + i / across * (cell + WORDS)];
        canvas.text([left, above], words, Canvas::BLACK);
        for (at, value) in pixels.iter().enumerate() {
            let place = [left + at % side * scale, above + WORDS + at / side * scale];
            canvas.fill(place, [scale, scale], [(value.clamp(0.0, 1.0) * 255.0) as u8; 3]);
        }
    }
    canvas.save(file)?;
    println!("drawn in {}", file.display());
    Ok(())
}

/// Draws a bar for each name, its number at the end; writes the file and says so.
pub fn bars(file: &Path, title: &str, all: &[(String, f64)]) -> Result<(), Box<dyn Error>> {
    const NAMES: usize = 170;
    const LENGTH: f64 = 360.0;
    let most = all.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let mut canvas = Canvas::new(640, 50 + 22 * all.len());
    canvas.text([8, 14], title, Canvas::BLACK);
    for (i, (name, value)) in all.iter().enumerate() {
        let top = 40 + 22 * i;
        canvas.text([8, top + 4], &chiaro::data::shortened(name, 20), Canvas::BLACK);
        let length = (value / most * LENGTH).max(0.0) as usize;
        canvas.fill([NAMES, top], [length, 16], COLOURS[0]);
        canvas.text([NAMES + length + 6, top + 4], &short(*value), Canvas::BLACK);
    }
    canvas.save(file)?;
    println!("drawn in {}", file.display());
    Ok(())
}
