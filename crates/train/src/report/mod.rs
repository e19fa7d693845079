//! `report.html`: a run as a page that needs no other file, with the pictures that it rests on.

mod choice;
mod facts;
mod heat;
mod page;

use chiaro_data::Canvas;

use crate::error::Result;
use crate::folder::RunFolder;
use crate::observer::Observer;
use crate::pictures::{draw_confusion, tell_failure};
use crate::results::Results;
use crate::task::{Guess, Tally};
use crate::trainer::Trainer;
use choice::Choice;
use heat::Heat;

/// The longer side of a picture on the page, in pixels.
const SIDE: usize = 112;

/// What was said of an image.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// The image's number in the set.
    pub row: usize,
    /// What it shows, in words.
    pub label: String,
    /// What was said of it, in words.
    pub said: String,
    /// The probability of the first guess, where it is one.
    pub probability: Option<f64>,
    /// Whether it was right, where that can be told.
    pub right: Option<bool>,
}

/// Evaluated images that the end of a run shows, as the best weights see them.
pub(crate) struct Looks {
    choice: Choice,
    /// What is shown of the chosen images, in RGB.
    images: Vec<Vec<u8>>,
    /// What speaks for the wrong classes in the worst mistakes.
    heats: Vec<Heat>,
    /// Why there are none.
    no_heats: Option<String>,
}

impl Trainer {
    /// What the model's outputs say of an evaluated image.
    pub(crate) fn said(&self, tally: &dyn Tally, temperature: f64, row: usize) -> Option<Said> {
        let width = self.task.outputs(self.info.classes.len());
        let outputs = tally.outputs().chunks_exact(width.max(1)).nth(row)?;
        let outputs: Vec<f64> = outputs.iter().map(|&output| f64::from(output) / temperature).collect();
        let guesses = self.task.predict(&outputs, &self.info.classes);
        let label = self.task.target_words(&self.evaluator.targets().row(row), &self.info.classes);
        let said = self.task.said_words(&guesses);
        let of_classes = guesses.first().is_some_and(|first| first.percent);
        let probability = guesses.first().filter(|first| first.percent).map(|Guess { value, .. }| *value);
        let right = of_classes.then(|| label == said);
        Some(Said { row, label, said, probability, right })
    }

    /// Brings the images that the end of the run shows from the device, whose weights are the best.
    pub(crate) fn look(&mut self, tally: &dyn Tally, temperature: f64) -> Result<Looks> {
        let choice = Choice::of(tally, temperature, self.data.eval_images);
        let images = self.evaluated_images(&choice.rows)?;
        let (heats, no_heats) = match self.heats(&choice.mistakes) {
            Ok(heats) => (heats, None),
            Err(error) => (vec![], Some(error.to_string())),
        };
        Ok(Looks { choice, images, heats, no_heats })
    }

    /// Writes the pictures of the end of a run, and the page.
    pub(crate) fn write_report(
        &mut self,
        folder: &RunFolder,
        observer: &mut dyn Observer,
        tally: &dyn Tally,
        results: &Results,
        looks: Result<Looks>,
    ) {
        self.draw_curves(folder, observer, true);
        if let Some(confusion) = tally.confusion() {
            tell_failure(observer, "the confusion matrix", draw_confusion(folder, confusion));
        }
        let looks = match looks {
            Ok(looks) => Some(looks),
            Err(error) => {
                tell_failure(observer, "pictures of evaluated images", Err(error));
                None
            }
        };
        let temperature = results.temperature.unwrap_or(1.0);
        let said: Vec<Said> = looks
            .iter()
            .flat_map(|looks| &looks.choice.rows)
            .filter_map(|&row| self.said(tally, temperature, row))
            .collect();
        if let Some(looks) = &looks {
            let shown = said.iter().zip(&looks.images).map(|(said, image)| (said, &image[..]));
            let made = self.draw_evaluated(folder, &shown.take(looks.choice.spread).collect::<Vec<_>>());
            tell_failure(observer, "val_batch0.jpg", made);
        }
        let page = page::write(folder, &self.facts(folder, results, looks.as_ref(), &said));
        tell_failure(observer, "report.html", page);
    }

    /// A picture on the page: a JPEG file as a link to itself, of few colours a PNG.
    fn link(&self, pixels: &[u8]) -> Result<String> {
        let [height, width, _] = self.info.image;
        let canvas = Canvas::of_image([height, width], pixels, SIDE)?;
        let is_small = height.max(width) <= SIDE / 3;
        let (kind, bytes) = if is_small { ("png", canvas.to_png()?) } else { ("jpeg", canvas.to_jpeg()?) };
        Ok(page::link(kind, &bytes))
    }
}
