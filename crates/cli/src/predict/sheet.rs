//! The contact sheet of `chiaro predict --sheet`: small pictures, each with its class below.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;
use chiaro::data::pictures::{Picture, thumbnails};
use chiaro::data::{Canvas, Colour, shortened};
use chiaro::train::Guess;

/// Side of a picture, how many stand in a row at least, and the room around them, in pixels.
const SIDE: usize = 128;
const IN_A_ROW: usize = 8;
const GAP: usize = 8;
/// Lines of text below a picture.
const LINES: usize = 2;
/// Pictures that are drawn.
const MOST: usize = 400;
/// Of classes that the model is not sure of.
const DOUBTFUL: Colour = [180, 30, 30];
/// A class below this is one that the model is not sure of.
const SURE: f64 = 0.5;

/// Pictures to draw, with what was said of them.
pub struct Sheet {
    path: PathBuf,
    pictures: Vec<Picture>,
    said: Vec<(String, bool)>,
    left_out: usize,
}

impl Sheet {
    /// A sheet for this file, which must be one that can be written.
    pub fn new(path: &Path) -> anyhow::Result<Sheet> {
        File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Sheet { path: path.to_path_buf(), pictures: vec![], said: vec![], left_out: 0 })
    }

    /// Adds a picture.
    pub fn add(&mut self, picture: &Picture, guesses: &[Guess], known: bool) {
        if self.pictures.len() == MOST {
            self.left_out += 1;
            return;
        }
        let best = guesses.first();
        let said = best.map_or(String::new(), |best| match best.percent {
            _ if !known => format!("unknown ({})", best.name),
            true => format!("{:.0}% {}", best.value * 100.0, best.name),
            false => best.to_string(),
        });
        self.pictures.push(picture.clone());
        self.said.push((said, known && best.is_some_and(|best| !best.percent || best.value >= SURE)));
    }

    /// Draws and writes it; what is to be told of it comes back.
    pub fn draw(self) -> anyhow::Result<Vec<String>> {
        let columns = self.pictures.len().isqrt().max(IN_A_ROW).min(self.pictures.len()).max(1);
        let cell = [SIDE + GAP, SIDE + LINES * Canvas::LETTER_HEIGHT + GAP];
        let rows = self.pictures.len().div_ceil(columns).max(1);
        let mut canvas = Canvas::new(columns * cell[0] + GAP, rows * cell[1] + GAP);
        for (i, drawn) in thumbnails(&self.pictures, SIDE)?.iter().enumerate() {
            let (left, top) = (GAP + i % columns * cell[0], GAP + i / columns * cell[1]);
            drawn.iter().for_each(|pixels| canvas.image([left, top], SIDE, pixels));
            let letters = SIDE / Canvas::LETTER_WIDTH;
            let (said, sure) = &self.said[i];
            let name = self.pictures[i].name().rsplit(['/', '\\']).next().unwrap_or_default();
            let line = |number: usize| [left, top + SIDE + 2 + number * Canvas::LETTER_HEIGHT];
            canvas.text(line(0), &shortened(said, letters), if *sure { Canvas::BLACK } else { DOUBTFUL });
            canvas.text(line(1), &shortened(name, letters), [120; 3]);
        }
        canvas.save(&self.path)?;
        let drawn = format!("{} pictures with their classes: {}", self.pictures.len(), self.path.display());
        let more = format!("note: a sheet has room for {MOST} pictures; {} more are not on it", self.left_out);
        Ok(if self.left_out > 0 { vec![drawn, more] } else { vec![drawn] })
    }
}
