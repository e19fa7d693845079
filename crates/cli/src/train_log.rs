//! `train.log`: what a run tells on the terminal, kept in its folder too.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

static LOG: Mutex<Log> = Mutex::new(Log::Off);

enum Log {
    Off,
    /// There is no folder for it yet.
    Waiting(String),
    File(File),
}

/// Keeps what is told from here on, with the command at its head, until there is a folder for it.
pub fn begin() {
    let words: Vec<String> = std::env::args().skip(1).map(|word| crate::train::words::shell(word.as_ref())).collect();
    let now = jiff::ZonedDateTime::now().strftime("%Y-%m-%d %H:%M:%S %:z").to_string();
    let head = format!("{now}: chiaro {} {}\n", env!("CARGO_PKG_VERSION"), words.join(" "));
    *LOG.lock().unwrap_or_else(PoisonError::into_inner) = Log::Waiting(head);
}

/// Writes what was told so far behind what is in this folder's log, and from here on each line as it comes. Why that cannot be comes
/// back; the run goes on without.
pub fn into(folder: &Path) -> Option<String> {
    let path = folder.join("train.log");
    let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    let Log::Waiting(text) = &*log else { return None };
    let opened = File::options().append(true).create(true).open(&path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()).map(|()| file));
    match written {
        Ok(file) => {
            *log = Log::File(file);
            None
        }
        Err(cause) => {
            *log = Log::Off;
            Some(format!("cannot write {}: {cause}; the run goes on without it", path.display()))
        }
    }
}

/// Keeps a line.
pub fn tell(text: &str) {
    let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *log {
        Log::Off => {}
        Log::Waiting(lines) => {
            lines.push_str(text);
            lines.push('\n');
        }
        // A log that cannot be written any more is no reason to lose the run, and the terminal has told the same.
        Log::File(file) => {
            let _ = file.write_all(format!("{text}\n").as_bytes());
        }
    }
}
