//! Writing lines without the panic of `println!` where the reader has gone, and numbers as people read them.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;

use crate::train_log;

/// Writes a line to the standard output; a reader that has gone is an error that ends the command quietly.
pub fn line(text: &str) -> anyhow::Result<()> {
    let text = printable(text);
    train_log::tell(&text);
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())?;
    Ok(())
}

/// Ends of lines that were written to the standard error.
static NOTED: AtomicUsize = AtomicUsize::new(0);

/// Writes a line to the standard error. There is nowhere to tell that this failed.
pub fn note(text: &str) {
    let text = printable(text);
    train_log::tell(&text);
    let _ = writeln!(io::stderr(), "{text}");
    NOTED.fetch_add(text.matches('\n').count() + 1, Ordering::SeqCst);
}

/// How many lines [`note`] has ended so far: so many rows lower a terminal's cursor is.
pub fn noted() -> usize {
    NOTED.load(Ordering::SeqCst)
}

/// The text with its control characters written out, but for tabs and ends of lines: names of files and classes come from
/// anywhere, and a terminal obeys what they say.
pub fn printable(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let written = |c: char| if obeyed(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(written).collect())
}

/// An error with its causes, each of which is told once: some errors have their cause in their own text.
pub fn message(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if !text.contains(&cause) {
            text += &format!(": {cause}");
        }
    }
    text
}

/// Whether an error says that the reader of the output has gone.
pub fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
}

/// Writes a report to a file.
pub fn save(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Bytes with a unit: `1.5 MB`.
pub fn bytes(count: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let power =
        units.iter().take(units.len() - 1).enumerate().take_while(|(i, _)| count >= 1000f64.powi(*i as i32 + 1));
    let power = power.count();
    let digits = if power == 0 { 0 } else { 1 };
    format!("{:.digits$} {}", count / 1000f64.powi(power as i32), units[power])
}

/// A duration with a unit: `12 µs`, `3.4 ms`, `5.6 s`, `7:08`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s if s < 100.0 => format!("{s:.2} s"),
        s => format!("{}:{:02}", s as u64 / 60, s as u64 % 60),
    }
}

/// The time to the end of a run: `5 s left`, `1:02:05 left`.
pub fn left(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, seconds) => format!("{seconds} s left"),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02} left"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02} left"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let cause = || io::Error::other("os error 2");
        let plain = anyhow::Error::new(cause()).context("cannot read a");
        assert_eq!(message(&plain), "cannot read a: os error 2");
        let doubled = anyhow::Error::new(cause()).context("cannot read a: os error 2").context("no run");
        assert_eq!(message(&doubled), "no run: cannot read a: os error 2");
    }

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(printable("a\tb\nc \u{e9}"), "a\tb\nc \u{e9}");
        assert_eq!(printable("a\u{1b}[31mb\rc\u{9b}2J"), "a\\u{1b}[31mb\\rc\\u{9b}2J");
    }

    #[test]
    fn numbers_have_units() {
        let cases = [(0.0, "0 B"), (999.0, "999 B"), (1500.0, "1.5 kB"), (2.5e9, "2.5 GB"), (7e15, "7000.0 TB")];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
        assert_eq!([5.2, 75.0, 3725.4].map(left), ["5 s left", "1:15 left", "1:02:05 left"]);
        let cases = [(0.000012, "12.0 µs"), (0.0034, "3.40 ms"), (5.6, "5.60 s"), (428.0, "7:08")];
        for (seconds, text) in cases {
            assert_eq!(duration(Duration::from_secs_f64(seconds)), text);
        }
    }
}
