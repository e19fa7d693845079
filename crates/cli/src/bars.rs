//! What a run looks like while it goes on: bars on a terminal, else one line an epoch.

use std::io::IsTerminal;
use std::time::Instant;

use chiaro::train::{EpochRecord, Event, Observer, Progress, Stop};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{duration, line};

/// Shows a run's events on the standard output.
pub struct Bars {
    started: Instant,
    bar: Option<ProgressBar>,
    /// Steps after which the run is stopped as by Ctrl-C, for tests.
    interrupt_after: Option<u64>,
    stop: Stop,
    steps: u64,
}

impl Bars {
    /// Bars where the output is a terminal. `started` is when the program began.
    pub fn new(started: Instant, interrupt_after: Option<u64>, stop: Stop) -> Bars {
        let bar = std::io::stdout().is_terminal().then(|| ProgressBar::new(0));
        Bars { started, bar, interrupt_after, stop, steps: 0 }
    }

    /// Removes the bar.
    pub fn close(&self) {
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

    fn step(&self, at: Progress) {
        let Some(bar) = &self.bar else { return };
        if at.step == 1 || bar.length() != Some(at.steps as u64) {
            bar.reset();
            bar.set_length(at.steps as u64);
            bar.set_style(style("{prefix} [{bar:30}] {pos}/{len}  {msg}  {eta} left"));
            bar.set_prefix(format!("epoch {}/{}", at.epoch, at.epochs));
        }
        bar.set_message(format!(
            "loss {:.4}  accuracy {:.2} %  {:.0} images/s",
            at.loss,
            at.accuracy * 100.0,
            at.images_per_second
        ));
        bar.set_position(at.step as u64);
    }

    fn evaluating(&self, batch: usize, batches: usize) {
        let Some(bar) = &self.bar else { return };
        if batch == 1 {
            bar.reset();
            bar.set_length(batches as u64);
            bar.set_style(style("  testing [{bar:30}] {pos}/{len}"));
        }
        bar.set_position(batch as u64);
    }
}

impl Observer for Bars {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::FirstStep => self.say(&format!("first step after {}", duration(self.started.elapsed()))),
            Event::Step(progress) => {
                self.step(*progress);
                self.steps += 1;
                if self.interrupt_after == Some(self.steps) {
                    self.stop.request();
                }
            }
            Event::Evaluating { batch, batches } => self.evaluating(*batch, *batches),
            Event::Epoch { record, best } => self.say(&epoch_line(record, *best)),
            _ => {}
        }
    }
}

fn epoch_line(r: &EpochRecord, best: bool) -> String {
    format!(
        "epoch {}: loss {:.4}, accuracy {:.2} %, test loss {:.4}, test accuracy {:.2} %{}, {:.0} images/s, {:.1} s",
        r.epoch,
        r.train_loss,
        r.train_accuracy * 100.0,
        r.eval_loss,
        r.eval_accuracy * 100.0,
        if best { " (best)" } else { "" },
        r.images_per_second,
        r.seconds
    )
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}
