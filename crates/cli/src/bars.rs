//! What a run looks like while it goes on: a live view on a terminal, else one line an epoch.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chiaro::data::Split;
use chiaro::train::{EpochRecord, Event, Measure, Observer, Stop, Task};

use crate::live::view::{Phase, View, host_bytes};
use crate::live::{Screen, lines};
use crate::output::{duration, line, note};
use crate::waiting::Waiting;

/// Columns and rows of a terminal that does not tell.
const USUAL: [usize; 2] = [80, 24];
/// How often the live view is drawn.
const EVERY: Duration = Duration::from_millis(100);
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
    live: Option<Live>,
    /// What is told until the first step is done.
    beginning: Option<Waiting>,
    /// Steps after which the run is stopped as by Ctrl-C, for tests.
    interrupt_after: Option<u64>,
    stop: Stop,
    steps: u64,
    /// Epochs, and the minutes that they may take.
    within: Option<(usize, f64)>,
}

/// A view that is drawn on the terminal, below other output.
struct Live {
    view: RefCell<View>,
    drawn: RefCell<Option<Instant>>,
    screen: RefCell<Screen>,
}

impl Live {
    /// `None` where there is no terminal that can draw.
    fn new(view: View) -> Option<Live> {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let can_draw = !is_dumb && std::io::stdout().is_terminal();
        can_draw.then(|| Live {
            view: RefCell::new(view),
            drawn: RefCell::default(),
            screen: RefCell::new(Screen::new()),
        })
    }

    fn update(&self, change: impl FnOnce(&mut View)) {
        let mut view = self.view.borrow_mut();
        change(&mut view);
        if self.drawn.borrow().is_some_and(|drawn| drawn.elapsed() < EVERY) {
            return;
        }
        *self.drawn.borrow_mut() = Some(Instant::now());
        view.host_bytes = host_bytes();
        let mut screen = self.screen.borrow_mut();
        let size = screen.size().unwrap_or(USUAL);
        screen.draw(&lines(&view, size));
    }

    /// Removes the view until it is drawn again.
    fn clear(&self) {
        // A terminal that has gone has nothing to remove.
        let _ = self.screen.borrow_mut().clear();
        *self.drawn.borrow_mut() = None;
    }
}

impl Bars {
    /// A live view where there is one to begin with and a terminal that can draw it, lines elsewhere. `started` is when the program
    /// began.
    pub fn new(
        started: Instant,
        split: Split,
        task: Arc<dyn Task>,
        interrupt_after: Option<u64>,
        stop: Stop,
        view: Option<View>,
    ) -> Bars {
        let (live, beginning) = (view.and_then(Live::new), Some(Waiting::new("first step")));
        Bars { started, split, task, live, beginning, interrupt_after, stop, steps: 0, within: None }
    }

    /// Tells early how many of so many epochs so many minutes are enough for, where they are not for all.
    pub fn within(mut self, epochs: usize, minutes: Option<f64>) -> Bars {
        self.within = minutes.map(|minutes| (epochs, minutes));
        self
    }

    /// Removes the view.
    pub fn close(&mut self) {
        self.beginning = None;
        if let Some(live) = &self.live {
            live.clear();
        }
    }

    fn update(&self, change: impl FnOnce(&mut View)) {
        if let Some(live) = &self.live {
            live.update(|view| {
                change(view);
                view.is_stopping = self.stop.requested();
            });
        }
    }

    /// Tells something while the view is out of the way.
    fn aside(&self, tell: impl FnOnce()) {
        if let Some(live) = &self.live {
            live.clear();
        }
        tell();
    }

    fn say(&self, text: &str) {
        // A run goes on though nobody reads: what counts is in the run folder.
        self.aside(|| drop(line(text)));
    }
}

/// What a run beyond its time limit should rather do: the learning rate falls over all epochs, and would still be high.
fn too_long(seconds: f64, (epochs, minutes): (usize, f64)) -> Option<String> {
    let fit = ((epochs as f64 * minutes * 60.0 / seconds) as usize).max(1);
    (fit < epochs).then(|| {
        format!(
            "note: --time-limit {minutes} is enough for about {fit} of {epochs} epochs and would end the run before its learning rate \
             has fallen: --epochs {fit} makes more of the time"
        )
    })
}

impl Observer for Bars {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::FirstStep => {
                self.beginning = None;
                self.say(&format!("first step after {}", duration(self.started.elapsed())));
            }
            Event::Step(progress) => {
                self.update(|view| view.step(progress, &self.task.measures()));
                self.steps += 1;
                let left = progress.seconds_left.filter(|&left| self.steps == FORETELLING && left >= WORTH_TELLING);
                if let Some(left) = left {
                    self.say(&format!("the run takes about {} more", duration(Duration::from_secs_f64(left))));
                    self.within
                        .and_then(|within| too_long(left, within))
                        .iter()
                        .for_each(|text| self.aside(|| note(text)));
                }
                if self.interrupt_after == Some(self.steps) {
                    self.stop.request();
                }
            }
            Event::Evaluating { batch, batches, seconds_left } => self.update(|view| {
                view.phase = Phase::Evaluating(*batch, *batches);
                view.seconds_left = seconds_left.or(view.seconds_left);
            }),
            Event::Epoch { record, best, data_wait } => {
                let measure = self.task.eval_measures().first().copied().unwrap_or(Measure::LOSS);
                self.update(|view| {
                    view.epoch(record, measure);
                    view.data_wait = Some(*data_wait);
                    if *best {
                        let value =
                            if measure == Measure::LOSS { record.eval.loss } else { record.eval.get(measure.name) };
                        view.best = format!("best {}, epoch {}", measure.shown(value), record.epoch);
                    }
                });
                self.say(&epoch_line(record, self.split, &*self.task, *best, *data_wait));
            }
            Event::Note(text) => self.aside(|| note(&format!("note: {text}"))),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_limit_that_is_not_enough_is_told_with_the_epochs_that_are() {
        let told = too_long(1200.0, (30, 10.0)).expect("half of the time");
        assert!(told.contains("about 15 of 30 epochs") && told.contains("--epochs 15 "), "{told}");
        assert_eq!(too_long(1200.0, (30, 20.0)), None);
    }
}
