//! The observer of a training run of which one step is profiled.

use std::path::Path;

use chiaro::train::{Event, Observer};

use super::{Subject, save};
use crate::output::note;

/// Passes every event on, and writes the trace as it comes.
pub struct Profiled<'a> {
    next: &'a mut dyn Observer,
    path: &'a Path,
    subject: Subject<'a>,
    saved: Option<anyhow::Result<()>>,
}

impl<'a> Profiled<'a> {
    /// Writes the trace to `path`; all other events are for `next`.
    pub fn new(next: &'a mut dyn Observer, path: &'a Path, subject: Subject<'a>) -> Profiled<'a> {
        Profiled { next, path, subject, saved: None }
    }

    /// What became of the trace.
    pub fn saved(self) -> anyhow::Result<()> {
        self.saved.unwrap_or_else(|| {
            note("no step was profiled: the run ended before");
            Ok(())
        })
    }
}

impl Observer for Profiled<'_> {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Profiled(profile) => self.saved = Some(save(self.path, profile, &self.subject)),
            Event::FirstStep | Event::Step(_) | Event::Evaluating { .. } | Event::Note(_) | Event::Epoch { .. } => {
                self.next.event(event)
            }
        }
    }
}
