//! Tells on the standard error what goes on where nothing else is to be seen for longer than a moment.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chiaro::data::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{note, printable};

/// When the first line comes. What is done sooner says nothing.
const FIRST: Duration = Duration::from_millis(700);
/// How often a line on a terminal changes.
const ON_TERMINAL: Duration = Duration::from_millis(250);
/// The pause before the second line elsewhere; each is twice the one before, up to the longest.
const ELSEWHERE: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);

/// As long as it lives, what goes on is told: on a terminal by one line that changes, elsewhere by a line now and then.
pub struct Waiting {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// What the opening of data tells of itself.
    data: Arc<Progress>,
}

struct State {
    text: String,
    ended: bool,
}

impl Waiting {
    /// Begins to wait for what `text` says.
    pub fn new(text: impl Into<String>) -> Waiting {
        Self::telling(text.into(), FIRST, teller())
    }

    /// Waits for a data set to be opened.
    pub fn opening(folder: &Path) -> Waiting {
        Waiting::new(format!("opening {}", folder.display()))
    }

    /// `tell` takes a line and gives the pause before the next.
    fn telling(text: String, first: Duration, mut tell: impl FnMut(&str) -> Duration + Send + 'static) -> Waiting {
        let state = Mutex::new(State { text, ended: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), data: Arc::default() });
        let told = Arc::clone(&shared);
        let work = move || {
            let started = Instant::now();
            let mut pause = first;
            while told.pause(pause) {
                pause = tell(&told.text(started.elapsed()));
            }
        };
        // Where the system has no thread for it, the work goes on without being told of.
        let thread = std::thread::Builder::new().name("waiting".to_string()).spawn(work).ok();
        Waiting { shared, thread }
    }

    /// What the opening of a data set is to tell its progress to.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.shared.data)
    }

    /// Goes on to something else.
    pub fn says(&self, text: impl Into<String>) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).text = text.into();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has nothing to report.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Waits so long; whether to go on.
    fn pause(&self, time: Duration) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(state, time, |state| !state.ended);
        !waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    fn text(&self, elapsed: Duration) -> String {
        let text = self.state.lock().unwrap_or_else(PoisonError::into_inner).text.clone();
        let seconds = elapsed.as_secs();
        match self.data.now() {
            (stage, done, total) if total > 0 => format!("{text}: {done} of {total} images {stage}, {seconds} s"),
            _ => format!("{text}, {seconds} s"),
        }
    }
}

/// What shows a line where the standard error goes, and says when the next may come.
fn teller() -> impl FnMut(&str) -> Duration + Send {
    let bar = std::io::stderr().is_terminal().then(Line::new);
    let mut next = ELSEWHERE;
    move |text| match &bar {
        Some(line) => {
            line.0.set_message(printable(text).into_owned());
            line.0.tick();
            ON_TERMINAL
        }
        None => {
            note(text);
            let pause = next;
            next = (next * 2).min(LONGEST);
            pause
        }
    }
}

/// A line of a terminal that is gone at the end.
struct Line(ProgressBar);

impl Line {
    fn new() -> Line {
        let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        Line(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn what_goes_on_is_told_until_it_ends() {
        let (sender, lines) = channel();
        let tell = move |text: &str| {
            // The receiver outlives the sender.
            sender.send(text.to_string()).expect("heard");
            Duration::from_millis(1)
        };
        let waiting = Waiting::telling("opening a".to_string(), Duration::ZERO, tell);
        assert_eq!(lines.recv().expect("a line"), "opening a, 0 s");
        waiting.says("first step");
        let changed = lines.iter().find(|line| line.starts_with("first step, "));
        assert!(changed.is_some());
        drop(waiting);
        // The sender went with the thread.
        assert!(lines.iter().all(|line| line.starts_with("first step, ")));
    }

    #[test]
    fn what_is_soon_done_says_nothing() {
        let (sender, lines) = channel();
        let tell = move |text: &str| {
            sender.send(text.to_string()).expect("heard");
            Duration::MAX
        };
        drop(Waiting::telling("opening".to_string(), Duration::MAX, tell));
        assert_eq!(lines.iter().count(), 0);
    }
}
