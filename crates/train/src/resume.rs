//! Going on with a run: from its checkpoint, from the one before it, or from the start where an end came before the first.

use std::fs;
use std::path::Path;

use chiaro_io::{Checkpoint, IoError, Weights, load_weights, read_arenas};

use crate::changes;
use crate::error::{Result, TrainError};
use crate::folder::RunFolder;
use crate::position::Best;
use crate::save::EPOCH;
use crate::state::RunState;
use crate::task::{Measure, judge};
use crate::trainer::Trainer;

impl Trainer {
    /// Goes on where the last checkpoint of a run folder was written; where it is damaged, where the one before it was; where no
    /// epoch has ended yet, from the start. What is to be told about that comes back, a sentence each.
    ///
    /// # Errors
    /// If the folder is in use, there were checkpoints but none can be read, one is of another model, optimizer or data, or a
    /// setting changed that cannot. Then nothing in the folder has changed.
    pub fn resume(&mut self, folder: &RunFolder) -> Result<Vec<String>> {
        let mut notes: Vec<String> = folder.claim()?.into_iter().collect();
        let Some(Found { state, checkpoint, instead_of }) = newest(folder)? else {
            notes.push("no checkpoint was saved before the run ended: it starts over".to_string());
            notes.extend(self.begin()?);
            return Ok(notes);
        };
        notes.extend(changes::settings(&self.config, &state.settings)?);
        notes.extend(changes::data(&self.data, &state.data)?);
        let path = folder.checkpoint_path();
        if checkpoint.weights.info != self.info {
            let message = "it is a checkpoint of another model or other data than args.toml beside it tells";
            return Err(TrainError::corrupt(&path, message));
        }
        let (done, epochs) = (state.position.epoch, self.config.epochs);
        if done > epochs {
            let message = format!("the run has done {done} epochs already, so it cannot be one of {epochs}");
            return Err(TrainError::Setting(message));
        }
        for (arena, values) in checkpoint.arenas(&self.step.graph)? {
            self.backend.write_arena(&arena, &values)?;
        }
        if let Some(damage) = instead_of {
            // Else the next save would keep the damaged one, and not this one, as the one before.
            fs::rename(folder.previous_path(), &path).map_err(|cause| TrainError::write(&path, cause))?;
            notes.push(format!("{damage}; the run goes on from the checkpoint before it, of {}", state.position));
        }
        folder.rename_old()?;
        self.at = state.position;
        self.records = state.records;
        self.mend(folder, &mut notes)?;
        Ok(notes)
    }

    /// Makes the files that a kill kept from being written after the checkpoint; the best epoch is the one in its file.
    fn mend(&mut self, folder: &RunFolder, notes: &mut Vec<String>) -> Result<()> {
        if self.at.epoch > 0 {
            folder.write_metrics_if_changed(&self.records)?;
        }
        let arenas = read_arenas(&mut *self.backend, &self.step.graph)?;
        // In the middle of an epoch the weights are those of no epoch.
        let ended = self.at.step_in_epoch == 0 && self.at.epoch > 0;
        if ended && epoch(&folder.last_path()) != Some(self.at.epoch) {
            self.save_last(folder, &arenas)?;
        }
        let Some(known) = self.at.best else { return Ok(()) };
        let found = best(&folder.best_path(), judge(&*self.task).name);
        if ended && known.epoch == self.at.epoch && found != Some(known) {
            return self.save_best(folder, known, &arenas);
        }
        if found.is_none() {
            let text = "cannot be used: the best of the epochs from here on is kept";
            notes.push(format!("{} {text}", folder.best_path().display()));
        }
        self.at.best = found;
        Ok(())
    }
}

/// A checkpoint that can be read.
struct Found {
    state: RunState,
    checkpoint: Checkpoint,
    /// What is wrong with a newer one.
    instead_of: Option<TrainError>,
}

/// The newest checkpoint that can be read; `None` where there never was one.
fn newest(folder: &RunFolder) -> Result<Option<Found>> {
    let (path, previous) = (folder.checkpoint_path(), folder.previous_path());
    let saved = [&path, &previous, &folder.best_path(), &folder.last_path()].into_iter().any(|path| path.exists());
    if !saved {
        return Ok(None);
    }
    let first = match RunState::load(&path) {
        Ok((state, checkpoint)) => return Ok(Some(Found { state, checkpoint, instead_of: None })),
        Err(error) => error,
    };
    if !unusable(&first) || !previous.exists() {
        return Err(first);
    }
    match RunState::load(&previous) {
        Ok((state, checkpoint)) => Ok(Some(Found { state, checkpoint, instead_of: Some(first) })),
        Err(second) => Err(TrainError::NoCheckpoint { first: first.to_string(), second: second.to_string() }),
    }
}

/// Whether an error says that the file is no good, rather than that it is another run's.
fn unusable(error: &TrainError) -> bool {
    let file = |error: &IoError| {
        matches!(
            error,
            IoError::Read { .. } | IoError::Format { .. } | IoError::Damaged { .. } | IoError::NotFinite { .. }
        )
    };
    matches!(error, TrainError::Weights(error) if file(error))
}

/// What a file of weights tells about its epoch; `None` where it cannot be used.
fn tells<T: std::str::FromStr>(weights: &Weights, key: &str) -> Option<T> {
    weights.extra.get(key)?.parse().ok()
}

fn epoch(path: &Path) -> Option<usize> {
    tells(&load_weights(path).ok()?, EPOCH)
}

fn best(path: &Path, measure: &str) -> Option<Best> {
    let weights = load_weights(path).ok()?;
    let loss = tells(&weights, Measure::LOSS.name).unwrap_or(f64::NAN);
    Some(Best { epoch: tells(&weights, EPOCH)?, score: tells(&weights, measure)?, loss })
}
