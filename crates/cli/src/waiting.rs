//! Tells on the standard error what goes on where nothing else is to be seen for longer than a moment.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chiaro::data::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::output::{note, printable};

/// When the first line comes. What is done sooner says nothing.
const FIRST: Duration = Duration::from_millis(700);
/// When the next lines come, on a terminal and elsewhere. Elsewhere each pause is twice the one before.
const ON_TERMINAL: Duration = Duration::from_millis(250);
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
        let state = Mutex::new(State { text: text.into(), ended: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), data: Arc::default() });
        let told = Arc::clone(&shared);
        // Where the system has no thread for it, the work goes on without being told of.
        let thread = std::thread::Builder::new().name("waiting".to_string()).spawn(move || told.tell()).ok();
        Waiting { shared, thread }
    }

    /// Waits for a data set to be opened.
    pub fn opening(folder: &Path) -> Waiting {
        Waiting::new(format!("opening {}", folder.display()))
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
    fn tell(&self) {
        let started = Instant::now();
        let bar = std::io::stderr()
            .is_terminal()
            .then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(plain()));
        let mut pause = FIRST;
        let mut next = ELSEWHERE;
        while self.pause(pause) {
            let text = self.text(started.elapsed());
            match &bar {
                Some(bar) => {
                    bar.set_message(printable(&text).into_owned());
                    bar.tick();
                    pause = ON_TERMINAL;
                }
                None => {
                    note(&text);
                    pause = next;
                    next = (next * 2).min(LONGEST);
                }
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    }

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

fn plain() -> indicatif::ProgressStyle {
    indicatif::ProgressStyle::with_template("{wide_msg}")
        .unwrap_or_else(|_| indicatif::ProgressStyle::default_spinner())
}
