//! The pictures of a run folder: curves, images as the network sees them, confusion matrices. A picture that cannot be made is told,
//! and the run goes on.

mod curves;
mod matrix;
mod mosaic;
mod seen;

use std::time::{Duration, Instant};

use chiaro_data::Canvas;
use chiaro_io::write_whole;

use crate::confusion::Confusion;
use crate::error::Result;
use crate::folder::RunFolder;
use crate::metrics::TOP;
use crate::observer::{Event, Observer};
use crate::report::Said;
use crate::task::Measure;
use crate::trainer::Trainer;
use mosaic::{RIGHT, Tile, WRONG, mosaic};

/// Training steps whose images are drawn.
const STEPS: usize = 3;
/// How many times as long as drawing the curves took nothing is drawn again: a hundredth of the time goes into it.
const PAUSE: u32 = 100;

/// When the curves were drawn last, and how long that took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawn {
    at: Instant,
    took: Duration,
    /// Whether it failed: then it is tried once more at the end, and not told after each epoch.
    failed: bool,
}

/// Tells that something of the run folder beside the run itself could not be made.
pub(crate) fn tell_failure(observer: &mut dyn Observer, what: &str, made: Result<()>) {
    if let Err(error) = made {
        observer.event(&Event::Note(&format!("{what} could not be made, and the run goes on without: {error}")));
    }
}

impl Trainer {
    /// Draws images of the first training steps, where the run begins.
    pub(crate) fn draw_beginning(&mut self, folder: &RunFolder, observer: &mut dyn Observer) {
        if self.at.step == 0 {
            let made = self.draw_training_images(folder);
            tell_failure(observer, "pictures of training images", made);
        }
    }

    fn draw_training_images(&mut self, folder: &RunFolder) -> Result<()> {
        let [height, width, _] = self.info.image;
        for (number, step) in self.training_images(STEPS)?.iter().enumerate() {
            let targets = self.feed.targets();
            let label = |row: usize| self.task.target_words(&targets.row(row), &self.info.classes);
            let tiles = step.rows.iter().zip(&step.images);
            let tiles = tiles.map(|(&row, pixels)| Tile { pixels, lines: vec![(label(row), Canvas::BLACK)] });
            let canvas = mosaic([height, width], &tiles.collect::<Vec<_>>())?;
            let file = canvas.to_jpeg()?;
            write_whole(&folder.path().join(format!("train_batch{number}.jpg")), &file)?;
            if let Some(board) = &mut self.board {
                board.picture(&format!("train_batch/{number}"), canvas.size(), &file)?;
            }
        }
        Ok(())
    }

    /// Draws the curves, if that was not done a moment ago or `always`.
    pub(crate) fn draw_curves(&mut self, folder: &RunFolder, observer: &mut dyn Observer, always: bool) {
        let is_due = |drawn: &Drawn| !drawn.failed && drawn.at.elapsed() >= drawn.took * PAUSE;
        if !always && !self.drawn.as_ref().is_none_or(is_due) {
            return;
        }
        let started = Instant::now();
        let (train, eval) = (self.task.measures(), self.curved_measures());
        let canvas = curves::curves(&self.records, &train, &eval, self.at.best.map(|best| best.epoch));
        let made = canvas.to_png().map_err(Into::into);
        let made = made.and_then(|png| Ok(write_whole(&folder.path().join("results.png"), &png)?));
        let failed = made.is_err();
        tell_failure(observer, "results.png", made);
        self.drawn = Some(Drawn { at: Instant::now(), took: started.elapsed(), failed });
    }

    /// What is measured after an epoch and is worth a curve: of five classes or fewer all are among the first five.
    pub(crate) fn curved_measures(&self) -> Vec<Measure> {
        let all = self.task.eval_measures().into_iter();
        all.filter(|measure| !measure.aside || self.info.classes.len() > TOP).collect()
    }

    /// Draws evaluated images with what was said of them.
    pub(crate) fn draw_evaluated(&self, folder: &RunFolder, images: &[(&Said, &[u8])]) -> Result<()> {
        let [height, width, _] = self.info.image;
        let colour = |said: &Said| match said.right {
            Some(true) => RIGHT,
            Some(false) => WRONG,
            None => Canvas::BLACK,
        };
        let lines = |said: &Said| {
            let sure = said.probability.map_or(String::new(), |p| format!(" {:.0}%", p * 100.0));
            vec![(said.label.clone(), Canvas::BLACK), (format!("{}{sure}", said.said), colour(said))]
        };
        let tiles = images.iter().map(|(said, pixels)| Tile { pixels, lines: lines(said) });
        let canvas = mosaic([height, width], &tiles.collect::<Vec<_>>())?;
        Ok(write_whole(&folder.path().join("val_batch0.jpg"), &canvas.to_jpeg()?)?)
    }
}

/// Draws the confusion matrix, by counts and by shares.
pub(crate) fn draw_confusion(folder: &RunFolder, confusion: &Confusion) -> Result<()> {
    for (name, shares) in [("confusion_matrix.png", false), ("confusion_matrix_normalized.png", true)] {
        write_whole(&folder.path().join(name), &matrix::matrix(confusion, shares).to_png()?)?;
    }
    Ok(())
}
