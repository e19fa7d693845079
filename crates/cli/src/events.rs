//! `--events FILE`: what a run tells, for programs: a JSON object a line, each whole when it is there.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use chiaro::train::{Ending, EpochRecord, Event, Observer, RunFolder, Scores, Trainer};
use serde_json::{Map, Value, json};

use crate::output::{message, note};

/// Steps are told so often at most.
const STEPS: Duration = Duration::from_millis(250);

/// A file of events.
pub struct Events {
    path: PathBuf,
    /// Absent once it could not be written.
    file: Option<File>,
    step: Option<Instant>,
}

impl Events {
    /// Opens the file, behind what is in it.
    pub fn open(path: &Path) -> anyhow::Result<Events> {
        let file = File::options().append(true).create(true).open(path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Events { path: path.to_path_buf(), file: Some(file), step: None })
    }

    /// A run begins or goes on.
    pub fn begin(&mut self, folder: &RunFolder, trainer: &Trainer) {
        let run = json!({ "run": folder.path().display().to_string(), "epochs_done": trainer.epochs_done(), "settings": trainer.config() });
        self.tell("begin", run);
    }

    /// A run has ended, or failed.
    pub fn end(&mut self, ending: &anyhow::Result<Ending>, trainer: &Trainer) {
        let how = match ending {
            Ok(Ending::Finished) => "finished",
            Ok(Ending::NoBetter) => "no better",
            Ok(Ending::OutOfTime) => "out of time",
            Ok(Ending::Interrupted) => "interrupted",
            Err(_) => "failed",
        };
        let best = trainer.best().map(|best| json!({ "epoch": best.epoch, "score": best.score }));
        let error = ending.as_ref().err().map(message);
        self.tell("end", json!({ "how": how, "best": best, "error": error }));
    }

    /// Writes an event with its time.
    fn tell(&mut self, name: &str, fields: Value) {
        let Some(file) = &mut self.file else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let mut all = Map::new();
        all.insert("event".into(), name.into());
        all.insert("time".into(), now.into());
        if let Value::Object(fields) = fields {
            all.extend(fields);
        }
        // In one piece: whoever reads beside it sees whole lines.
        if let Err(cause) = file.write_all(format!("{}\n", Value::Object(all)).as_bytes()) {
            note(&format!("note: {} has no more events, it cannot be written: {cause}", self.path.display()));
            self.file = None;
        }
    }
}

impl Observer for Events {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::FirstStep => self.tell("first_step", json!({})),
            Event::Step(at) => {
                let is_due = self.step.is_none_or(|told| told.elapsed() >= STEPS);
                if !is_due && at.step < at.steps {
                    return;
                }
                self.step = Some(Instant::now());
                let place = json!({
                    "epoch": at.epoch, "epochs": at.epochs, "step": at.step, "steps": at.steps, "train": scores(&at.scores),
                    "images_per_second": at.images_per_second, "seconds_left": at.seconds_left,
                });
                self.tell("step", place);
            }
            Event::Evaluating { batch, batches, seconds_left } => {
                if batch == batches {
                    self.tell("evaluated", json!({ "batches": batches, "seconds_left": seconds_left }));
                }
            }
            Event::Note(text) => self.tell("note", json!({ "text": text })),
            Event::Epoch { record, best, data_wait } => self.tell("epoch", epoch(record, *best, *data_wait)),
            // Another observer tells of it.
            Event::Profiled(_) => {}
        }
    }
}

fn epoch(record: &EpochRecord, best: bool, data_wait: f64) -> Value {
    json!({
        "epoch": record.epoch, "step": record.step, "train": scores(&record.train), "val": scores(&record.eval), "lr": record.lr,
        "seconds": record.seconds, "images_per_second": record.images_per_second, "best": best, "data_wait": data_wait,
    })
}

/// Loss and measures by name; what is no number is null.
fn scores(scores: &Scores) -> Value {
    let all = [("loss".to_string(), scores.loss)].into_iter().chain(scores.measures.iter().cloned());
    Value::Object(all.map(|(name, value)| (name, json!(value))).collect())
}
