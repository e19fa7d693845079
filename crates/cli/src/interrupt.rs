//! Signals: one stops the run after its step and saves it; a second Ctrl-C ends the program at once.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use chiaro::train::Stop;

/// Shells tell an end by a signal by its number above this.
const SIGNALLED: u8 = 128;
/// The number of Ctrl-C's signal.
const CTRL_C: u8 = 2;

/// The signals that asked for a stop.
pub struct Interrupt {
    /// Is asked for by the first.
    pub stop: Stop,
    /// Its number; 0 before it.
    signal: Arc<AtomicU8>,
}

impl Interrupt {
    /// The exit code of a run that was interrupted: 130 for Ctrl-C, 143 for a request to terminate, 129 for a terminal that has
    /// gone.
    pub fn exit_code(&self) -> ExitCode {
        let signal = self.signal.load(Ordering::SeqCst);
        ExitCode::from(SIGNALLED + if signal == 0 { CTRL_C } else { signal })
    }
}

/// Called for every signal. Only Ctrl-C counts as a second: `timeout`, shells and service managers send the others in pairs.
fn heard(signal: u8, stop: &Stop, first: &AtomicU8) {
    if !stop.request() {
        first.store(signal, Ordering::SeqCst);
        crate::output::note("\nstopping after this step; Ctrl-C ends at once without saving");
    } else if signal == CTRL_C {
        std::process::exit((SIGNALLED + CTRL_C).into());
    }
}

/// A stop that Ctrl-C, a request to terminate, or the end of the terminal asks for; not the last where the program was started
/// to outlive its terminal (`nohup`).
#[cfg(unix)]
pub fn stop_on_signals() -> anyhow::Result<Interrupt> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let interrupt = Interrupt { stop: Stop::default(), signal: Arc::default() };
    let (stop, first) = (interrupt.stop.clone(), Arc::clone(&interrupt.signal));
    let listened = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&s| s != SIGHUP || !crate::ignored::is_ignored(s));
    let mut signals = signal_hook::iterator::Signals::new(listened)?;
    std::thread::Builder::new().name("signals".to_string()).spawn(move || {
        signals.forever().for_each(|signal| heard(u8::try_from(signal).unwrap_or(0), &stop, &first));
    })?;
    Ok(interrupt)
}

/// A stop that Ctrl-C or the end of the terminal asks for.
#[cfg(not(unix))]
pub fn stop_on_signals() -> anyhow::Result<Interrupt> {
    let interrupt = Interrupt { stop: Stop::default(), signal: Arc::default() };
    let (stop, first) = (interrupt.stop.clone(), Arc::clone(&interrupt.signal));
    ctrlc::set_handler(move || heard(CTRL_C, &stop, &first))?;
    Ok(interrupt)
}
