//! `--profile`: a trace of one step as a file, and where its time went as a table.

mod profiled;
mod table;
mod trace;

use std::path::Path;

use chiaro::graph::{Peaks, Profile};

use crate::output;

pub use profiled::Profiled;

/// What was profiled.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The step.
    pub name: &'a str,
    /// The device.
    pub device: &'a str,
    /// The device's roofline, if it was measured.
    pub peaks: Option<&'a Peaks>,
}

/// Writes the trace to a file and the tables to the standard output.
pub fn save(path: &Path, profile: &Profile, subject: &Subject<'_>) -> anyhow::Result<()> {
    output::save(path, &serde_json::to_string(&trace::json(profile, subject))?)?;
    table::lines(profile, subject).iter().try_for_each(|text| output::line(text))?;
    output::line(&format!("trace: {} (open it at https://ui.perfetto.dev or in chrome://tracing)", path.display()))
}
