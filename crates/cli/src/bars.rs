//! What a run looks like while it goes on: bars on a terminal, else one line an epoch.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chiaro::data::Split;
use chiaro::train::{EpochRecord, Event, Observer, Stop, Task};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{duration, line, note};
use crate::progress_line;
use crate::waiting::Waiting;

/// Columns of a terminal that does not tell.
const USUAL_WIDTH: usize = 80;
/// Steps after which is told how long a run will take.
const FORETELLING: u64 = 4;
/// Seconds of a run that are told.
const WORTH_TELLING: f64 = 20.0;

/// Shows a run's events on the standard output.
pub struct Bars {
    started: Instant,
    /// What the model is evaluated on.
    split: Split,
    task: Arc<dyn Task>,
    bar: Option<ProgressBar>,
    /// What is told until the first step is done.
    beginning: Option<Waiting>,
    /// Steps after which the run is stopped as by Ctrl-C, for tests.
    interrupt_after: Option<u64>,
    stop: Stop,
    steps: u64,
}

impl Bars {
    /// Bars where the output is a terminal. `started` is when the program began.
    pub fn new(started: Instant, split: Split, task: Arc<dyn Task>, interrupt_after: Option<u64>, stop: Stop) -> Bars {
        // The line is made here, to fit; the library draws it and keeps it below other output.
        let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = std::io::stdout().is_terminal().then(|| ProgressBar::no_length().with_style(style));
        let beginning = Some(Waiting::new("first step"));
        Bars { started, split, task, bar, beginning, interrupt_after, stop, steps: 0 }
    }

    /// Removes the bar.
    pub fn close(&mut self) {
        self.beginning = None;
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn say(&self, text: &str) {
        // A run goes on though nobody reads: what counts is in the run folder.
        match &self.bar {
            Some(bar) => bar.suspend(|| drop(line(text))),
            None => drop(line(text)),
        }
    }

    /// The same on the standard error.
    fn say_aside(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| note(text)),
            None => note(text),
        }
    }

    /// Draws a line in the place of the one before it.
    fn draw(&self, line: impl Fn(usize) -> String) {
        let Some(bar) = &self.bar else { return };
        let width = console::Term::stdout().size_checked().map_or(USUAL_WIDTH, |(_, width)| width.into());
        bar.set_message(line(width));
    }
}

impl Observer for Bars {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::FirstStep => {
                self.beginning = None;
                self.say(&format!("first step after {}", duration(self.started.elapsed())));
            }
            Event::Step(progress) => {
                self.draw(|width| progress_line::training(progress, &self.task.measures(), width));
                self.steps += 1;
                let left = progress.seconds_left.filter(|&left| self.steps == FORETELLING && left >= WORTH_TELLING);
                if let Some(left) = left {
                    self.say(&format!("the run takes about {} more", duration(Duration::from_secs_f64(left))));
                }
                if self.interrupt_after == Some(self.steps) {
                    self.stop.request();
                }
            }
            Event::Evaluating { batch, batches, seconds_left } => {
                self.draw(|width| progress_line::evaluating(*batch, *batches, *seconds_left, width));
            }
            Event::Epoch { record, best, data_wait } => {
                self.say(&epoch_line(record, self.split, &*self.task, *best, *data_wait));
            }
            Event::Note(text) => self.say_aside(&format!("note: {text}")),
            // Another observer tells of it.
            Event::Profiled(_) => {}
        }
    }
}

fn epoch_line(r: &EpochRecord, split: Split, task: &dyn Task, best: bool, data_wait: f64) -> String {
    format!(
        "epoch {}: {}, {}{}, {:.0} images/s ({:.0} % waiting for data), {:.1} s",
        r.epoch,
        r.train.shown(&task.measures(), ""),
        r.eval.shown(&task.eval_measures(), &format!("{split} ")),
        if best { " (best)" } else { "" },
        r.images_per_second,
        data_wait * 100.0,
        r.seconds
    )
}
